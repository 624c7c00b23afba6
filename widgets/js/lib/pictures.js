// pictures.js - small grey pictures of 28 x 28 pixels, and the colours that go with them.

import { toArrayBuffer } from "./engine.js";
import { SIDE } from "./mnist.js";
import { h, paint } from "./dom.js";

export const PIXELS = SIDE * SIDE;
export const INK = [255, 255, 255];
export const PAPER = [12, 16, 23]; // the dark ground of every picture, in light and in dark pages
export const RAISES = [255, 166, 64]; // orange: positive weights
export const LOWERS = [84, 160, 255]; // blue: negative weights

/** The colour a share of the way from PAPER to `towards`. */
export function mix(share, towards) {
  return PAPER.map((from, i) => from + share * (towards[i] - from));
}

/** Paint 784 values of 0-255, white on dark. */
export function paintDigit(canvas, pixels) {
  paint(canvas, SIDE, SIDE, (k) => mix(pixels[k] / 255, INK));
}

/** A small picture of 28 x 28 pixels with a caption below. */
export function tile() {
  const canvas = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, role: "img", "aria-label": "" });
  const caption = h("figcaption");
  return { canvas, caption, element: h("figure", { class: "cw-tile" }, canvas, caption) };
}

/** Undo Python's `pack_grey`: pixels of 0-255 in 16 levels, from zlib with two pixels a byte. */
export async function unpackGrey(bytes) {
  const stream = new Blob([toArrayBuffer(bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const pixels = new Uint8Array(2 * packed.length);
  packed.forEach((byte, i) => {
    pixels[2 * i] = 17 * (byte >> 4);
    pixels[2 * i + 1] = 17 * (byte & 15);
  });
  return pixels;
}
