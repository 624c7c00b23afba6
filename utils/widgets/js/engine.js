// engine.js - the forward pass of a small net on typed arrays: no dependency, no fetch, no eval.
//
// `spec` and `bytes` come from utils/widgets/pack.py:
//   spec  = { input, output, layers: [{ op, ... }, ...] }
//   bytes = all weights in one little-endian block; every tensor starts on a multiple of 4 bytes
//
// To add a kind of layer, enter its forward pass in OPS under the `op` that pack.py gives it.

// ---- from bytes to Float32Array -----------------------------------------------------------------

/** A DataView, typed array or ArrayBuffer as an ArrayBuffer of its own (typed arrays need alignment). */
export function toArrayBuffer(bytes) {
  if (bytes instanceof ArrayBuffer) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice().buffer;
}

/** The number that 16 bits stand for in IEEE half precision. */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Unpack one tensor, whichever of the three formats it travelled in. */
export function unpackTensor(buffer, { dtype, offset, n, rows, scale_offset }) {
  const out = new Float32Array(n);
  if (dtype === "f32") {
    out.set(new Float32Array(buffer, offset, n));
  } else if (dtype === "f16") {
    const bits = new Uint16Array(buffer, offset, n);
    for (let i = 0; i < n; i++) out[i] = halfToNumber(bits[i]);
  } else if (dtype === "i8") {
    const q = new Int8Array(buffer, offset, n);
    const scale = new Float32Array(buffer, scale_offset, rows);
    for (let row = 0, i = 0; row < rows; row++) {
      for (const end = i + n / rows; i < end; i++) out[i] = q[i] * scale[row];
    }
  } else {
    throw new Error(`unknown dtype "${dtype}"`);
  }
  return out;
}

// ---- the layers -----------------------------------------------------------------------------------
//
// OPS[op](layer, tensor, size) prepares a layer once and returns { size, run(x, y), ... }:
// `tensor(name)` unpacks one of its tensors, `size` is the length of its input; run() fills y from x.

/** y = W x + b for a row-major W [out][in]; four rows at a time share the loads of x. */
function multiply(W, b, x, y) {
  const nOut = y.length;
  const nIn = x.length;
  let o = 0;
  for (; o + 3 < nOut; o += 4) {
    const row0 = o * nIn;
    const row1 = row0 + nIn;
    const row2 = row1 + nIn;
    const row3 = row2 + nIn;
    let sum0 = b[o];
    let sum1 = b[o + 1];
    let sum2 = b[o + 2];
    let sum3 = b[o + 3];
    for (let i = 0; i < nIn; i++) {
      const v = x[i];
      sum0 += W[row0 + i] * v;
      sum1 += W[row1 + i] * v;
      sum2 += W[row2 + i] * v;
      sum3 += W[row3 + i] * v;
    }
    y[o] = sum0;
    y[o + 1] = sum1;
    y[o + 2] = sum2;
    y[o + 3] = sum3;
  }
  for (; o < nOut; o++) {
    let sum = b[o];
    for (let i = 0, row = o * nIn; i < nIn; i++) sum += W[row + i] * x[i];
    y[o] = sum;
  }
}

/** An activation that treats every value alike. */
function elementwise(f) {
  return (layer, tensor, size) => ({
    size,
    run(x, y) {
      for (let i = 0; i < size; i++) y[i] = f(x[i], layer);
    },
  });
}

/** Gauss error function, to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

/** Softmax of x into y; the largest value is taken off first, so that exp() cannot overflow. */
export function softmax(x, y = new Float32Array(x.length)) {
  let largest = -Infinity;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, x[i]);
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    y[i] = Math.exp(x[i] - largest);
    sum += y[i];
  }
  for (let i = 0; i < x.length; i++) y[i] /= sum;
  return y;
}

const OPS = {
  dense(layer, tensor, size) {
    if (layer.in !== size) throw new Error(`a dense layer takes ${layer.in} values, not ${size}`);
    const W = tensor("w");
    const b = tensor("b");
    return { size: layer.out, W, b, run: (x, y) => multiply(W, b, x, y) };
  },
  relu: elementwise((v) => (v > 0 ? v : 0)),
  leaky_relu: elementwise((v, { slope }) => (v > 0 ? v : v * slope)),
  silu: elementwise((v) => v / (1 + Math.exp(-v))),
  gelu: elementwise((v) => 0.5 * v * (1 + erf(v / Math.SQRT2))),
  tanh: elementwise(Math.tanh),
  sigmoid: elementwise((v) => 1 / (1 + Math.exp(-v))),
  softmax: (layer, tensor, size) => ({ size, run: (x, y) => softmax(x, y) }),
};

// ---- the net --------------------------------------------------------------------------------------

/**
 * A net that is ready to run:
 *   forward(x)      the output for one example, a Float32Array which the next call overwrites
 *   activations[k]  what layer k of spec.layers gave in the last call
 *   layers[k]       that layer's { op, size, ... }, for "dense" with its weights W [out][in] and b
 */
export function makeNet(spec, bytes) {
  const buffer = toArrayBuffer(bytes);
  let size = spec.input;
  const layers = spec.layers.map((layer) => {
    if (!Object.hasOwn(OPS, layer.op)) throw new Error(`unknown layer "${layer.op}"`);
    const tensor = (name) => unpackTensor(buffer, layer[name]);
    const ready = OPS[layer.op](layer, tensor, size);
    size = ready.size;
    return { op: layer.op, ...ready };
  });
  if (size !== spec.output) throw new Error(`the net gives ${size} values, not ${spec.output}`);
  const activations = layers.map((layer) => new Float32Array(layer.size));

  function forward(x) {
    if (x.length !== spec.input) throw new Error(`the net takes ${spec.input} values, not ${x.length}`);
    for (let i = 0; i < x.length; i++) {
      if (!Number.isFinite(x[i])) throw new Error(`value ${i} of the input is ${x[i]}`);
    }
    layers.forEach((layer, k) => {
      layer.run(x, activations[k]);
      x = activations[k];
    });
    return x;
  }

  return { input: spec.input, output: spec.output, layers, activations, forward };
}
