// pictures.js - small pictures of 28 x 28 pixels, and the colours that go with them.

import { inflate } from "./bytes.js";
import { h, paint } from "./dom.js";
import { largest } from "./numbers.js";

export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const INK = [255, 255, 255];
export const PAPER = [12, 16, 23]; // the dark ground of every picture, in light and in dark pages
export const RAISES = [255, 166, 64]; // orange: positive weights
export const LOWERS = [84, 160, 255]; // blue: negative weights

/** The colour a share of the way from PAPER to `towards`. */
export function mix(share, towards) {
  return PAPER.map((from, i) => from + share * (towards[i] - from));
}

const SHADES = Array.from({ length: 256 }, (_, v) => mix(v / 255, INK));
const COLOURS = Array.from({ length: 255 }, (_, k) => mix(Math.abs(k - 127) / 127, k > 127 ? RAISES : LOWERS));

// ---- numbers and pictures ---------------------------------------------------------------------------

/** Ink in 0-1 as bytes of 0-255. */
export const inkToBytes = (ink) => Uint8Array.from(ink, (v) => Math.round(255 * v));

/** Bytes of 0-255 as ink in 0-1: what the nets are fed. */
export const bytesToInk = (bytes) => Float32Array.from(bytes, (v) => v / 255);

/** The pictures that lie behind each other in `bytes`. */
export function unstack(bytes) {
  return Array.from({ length: bytes.length / PIXELS }, (_, k) => bytes.subarray(k * PIXELS, (k + 1) * PIXELS));
}

/** Undo Python's `pack_grey`: pixels of 0-255 in 16 levels, from zlib with two pixels a byte. */
export async function unpackGrey(bytes) {
  const packed = new Uint8Array(await inflate(bytes));
  const pixels = new Uint8Array(2 * packed.length);
  packed.forEach((byte, i) => {
    pixels[2 * i] = 17 * (byte >> 4);
    pixels[2 * i + 1] = 17 * (byte & 15);
  });
  return pixels;
}

// ---- painting ---------------------------------------------------------------------------------------

/** Paint 784 bytes, white on dark; on a sheet of many, with the upper left corner at (x, y). */
export function paintDigit(canvas, bytes, x = 0, y = 0) {
  paint(canvas, SIDE, SIDE, (k) => SHADES[bytes[k]], x, y);
}

/** Paint 784 weights, orange positive and blue negative, those of size `limit` in full colour. */
export function paintWeights(canvas, weights, limit = largest(weights) || 1) {
  paint(canvas, SIDE, SIDE, (k) => COLOURS[127 + Math.round((127 * weights[k]) / limit)]);
}

// ---- elements ---------------------------------------------------------------------------------------

/** A canvas for one picture; without a label it is hidden from screen readers. */
export function digitCanvas(label) {
  const meaning = label === undefined ? { "aria-hidden": "true" } : { role: "img", "aria-label": label };
  return h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, ...meaning });
}

/** A picture with a caption below. */
export function tile() {
  const canvas = digitCanvas("");
  const caption = h("figcaption");
  return { canvas, caption, element: h("figure", { class: "cw-tile" }, canvas, caption) };
}

/** A small picture that is a button. */
export function thumbnail(name, onclick, className = "") {
  const canvas = digitCanvas();
  const element = h("button", { type: "button", class: `cw-thumbnail ${className}`, "aria-label": name, onclick }, canvas);
  return { canvas, element, press: (pressed) => element.setAttribute("aria-pressed", String(pressed)) };
}
