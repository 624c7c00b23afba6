// bytes.js - from what travels (DataViews, typed arrays, zlib) to arrays of numbers.

/** A DataView, typed array or ArrayBuffer as an ArrayBuffer of its own (typed arrays need alignment). */
export function toArrayBuffer(bytes) {
  if (bytes instanceof ArrayBuffer) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice().buffer;
}

export const toBytes = (bytes) => new Uint8Array(toArrayBuffer(bytes));
export const toFloats = (bytes) => new Float32Array(toArrayBuffer(bytes));

/** Undo Python's zlib. */
export async function inflate(bytes) {
  const stream = new Blob([toArrayBuffer(bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}
