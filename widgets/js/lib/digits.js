// digits.js - the digits that a figure trains on: from the site's own file, or from Python.

import { PIXELS, unpackGrey } from "./pictures.js";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const WAIT = 60_000; // ms for a kernel, which may have to find the data first

/** Undo Python's base64.b85encode: five characters are four bytes; a shorter end is one byte less than long. */
export function decode85(text) {
  const value = new Uint8Array(128);
  for (let i = 0; i < ALPHABET.length; i++) value[ALPHABET.charCodeAt(i)] = i;
  const bytes = new Uint8Array(4 * Math.ceil(text.length / 5));
  const view = new DataView(bytes.buffer);
  for (let at = 0, to = 0; at < text.length; at += 5, to += 4) {
    let number = 0;
    for (let k = at; k < at + 5; k++) number = 85 * number + (k < text.length ? value[text.charCodeAt(k)] : 84);
    view.setUint32(to, number);
  }
  return bytes.subarray(0, bytes.length - ((5 - (text.length % 5)) % 5));
}

/** Load the script beside the book's own scripts, which sets `courseDigits`. */
function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(globalThis.courseDigits);
    script.onerror = () => reject(new Error("The digits could not be loaded. Is the page's folder complete?"));
    document.head.append(script);
  });
}

/** Ask Python for the digits, and wait for them. */
function askKernel(model) {
  return new Promise((resolve, reject) => {
    const found = () => {
      const digits = model.get("_digits");
      if (!digits?.pixels) return;
      clearTimeout(timer);
      model.off("change:_digits", found);
      resolve(digits);
    };
    const timer = setTimeout(() => {
      model.off("change:_digits", found);
      reject(new Error("No digits came from Python. Is the kernel running?"));
    }, WAIT);
    model.on("change:_digits", found);
    model.set("_digits_wanted", true);
    model.save_changes();
    found();
  });
}

let pending = null; // for all figures of the page

/**
 * Digits to train on and digits held out, each { images, labels }: images (N, 784) of ink 0 to 1 in one
 * Float32Array, labels 0 to 9. Loaded once a page; after a failure the next call tries again.
 */
export function trainingDigits(model) {
  pending ??= load(model).catch((error) => {
    pending = null;
    throw error;
  });
  return pending;
}

async function load(model) {
  const book = document.querySelector('script[src*="course/widgets.js"]');
  const found =
    globalThis.courseDigits ?? (book ? await loadScript(new URL("digits.js", book.src).href) : await askKernel(model));
  const packed = typeof found.pixels === "string" ? decode85(found.pixels) : found.pixels;
  const pixels = await unpackGrey(packed).catch((error) => {
    throw new Error("The digits could not be unpacked. Is the browser older than 2023?", { cause: error });
  });
  const images = Float32Array.from(pixels, (v) => v / 255);
  const labels = Uint8Array.from(found.labels, Number);
  const split = labels.length - found.held_out;
  return {
    training: { images: images.subarray(0, split * PIXELS), labels: labels.subarray(0, split) },
    heldOut: { images: images.subarray(split * PIXELS), labels: labels.subarray(split) },
  };
}
