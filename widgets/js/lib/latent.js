// latent.js - what the widgets of the latent space share: decoding, work in idle time, numbers, and the
// choice of a digit to encode.

import { toArrayBuffer } from "./engine.js";
import { SIDE, strokesToDigit } from "./mnist.js";
import { drawingArea } from "./drawing.js";
import { INK, PIXELS, mix, paintDigit } from "./pictures.js";
import { freshId, h, oncePerFrame } from "./dom.js";

/** What `decoder` draws at `z`: 784 probabilities of ink as values of 0-255. */
export function decodeDigit(decoder, z) {
  const logits = decoder.forward(Float32Array.from(z));
  return Uint8ClampedArray.from(logits, (v) => 255 / (1 + Math.exp(-v)));
}

/** The mean and the standard deviations of the encoder's answer to a picture of 784 values of 0-255. */
export function encodeDigit(encoder, image) {
  const output = encoder.forward(Float32Array.from(image, (v) => v / 255));
  const half = output.length / 2;
  return {
    mean: Array.from(output.subarray(0, half)),
    sd: Array.from(output.subarray(half), (logVariance) => Math.exp(logVariance / 2)),
  };
}

const SHADES = Array.from({ length: 256 }, (_, v) => mix(v / 255, INK));

/** Paint one digit into a sheet of many, with its upper left corner at (x, y). */
export function placeDigit(context, x, y, pixels) {
  const picture = context.createImageData(SIDE, SIDE);
  for (let k = 0; k < PIXELS; k++) {
    const shade = SHADES[pixels[k]];
    picture.data[4 * k] = shade[0];
    picture.data[4 * k + 1] = shade[1];
    picture.data[4 * k + 2] = shade[2];
    picture.data[4 * k + 3] = 255;
  }
  context.putImageData(picture, x, y);
}

/** A number with two decimals and a true minus sign; never "-0.00". */
export function signed(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) ? `−${text}` : text;
}

const KEY_STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };

/** The arrow keys on a range input move by `step`, with Shift by five of them: `move(difference)`. */
export function stepWithKeys(input, step, move) {
  input.addEventListener("keydown", (event) => {
    if (!(event.key in KEY_STEPS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(KEY_STEPS[event.key] * step * (event.shiftKey ? 5 : 1));
  });
}

// ---- when to work -------------------------------------------------------------------------------

/** A function that runs `work` once it has not been called for `ms`; `.now()` and `.cancel()`. */
export function afterQuiet(ms, work) {
  let timer = 0;
  const request = () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
  request.cancel = () => clearTimeout(timer);
  request.now = () => {
    clearTimeout(timer);
    work();
  };
  return request;
}

const CHUNK = 8; // ms at a time, so that a frame is never missed

/**
 * Work for the browser's idle time: `step` does a small piece and returns whether more is left.
 * `start()` begins or goes on, `stop()` holds it.
 */
export function idleJob(step) {
  const wait = globalThis.requestIdleCallback ?? ((work) => setTimeout(work, 16)); // Safari has none
  const forget = globalThis.cancelIdleCallback ?? clearTimeout;
  let ticket = null;
  function run() {
    ticket = null;
    const end = performance.now() + CHUNK;
    let more = true;
    while (more && performance.now() < end) more = step();
    if (more) ticket = wait(run);
  }
  return {
    start() {
      ticket ??= wait(run);
    },
    stop() {
      if (ticket !== null) forget(ticket);
      ticket = null;
    },
  };
}

// ---- a digit to encode ----------------------------------------------------------------------------

/**
 * Test digits to pick from, and an area to draw one in. `onChoose(image, ended)` gets 784 values of 0-255;
 * `ended` is false while a stroke is being drawn. `say` gets what a keyboard user must hear.
 */
export function digitChooser({ examples, labels, summary = "Or draw a digit, and encode that", onChoose, say }) {
  const pixels = new Uint8Array(toArrayBuffer(examples));
  const images = labels.map((_, k) => pixels.subarray(k * PIXELS, (k + 1) * PIXELS));
  const helpId = freshId();
  let drawn = 0; // points in the drawing that was encoded last

  const thumbnails = labels.map((label, k) => {
    const canvas = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, "aria-hidden": "true" });
    paintDigit(canvas, images[k]);
    const name = `Test digit ${k + 1}, labelled ${label}`;
    const attributes = {
      type: "button",
      class: "cw-thumbnail",
      "aria-label": name,
      onclick() {
        clear();
        onChoose(images[k], true);
      },
    };
    return h("button", attributes, canvas);
  });

  const area = drawingArea({
    describedBy: helpId,
    onStart() {},
    onChange: () => look(false),
    onEnd: () => look(true),
    onClear: () => clear(),
    onUndo: () => undo(),
    say,
  });
  const hint = h("span", { class: "cw-hint", "aria-hidden": "true" }, "Draw a digit here");
  const undoButton = h("button", { type: "button", class: "cw-button", onclick: () => undo() }, "Undo stroke");
  const clearButton = h("button", { type: "button", class: "cw-button", onclick: () => clear() }, "Clear");
  const section = h(
    "details",
    {},
    h("summary", {}, summary),
    h(
      "div",
      { class: "cw-chooser-drawing" },
      h("div", { class: "cw-paper" }, area.canvas, hint),
      h("div", { class: "cw-chooser-buttons" }, undoButton, clearButton),
      h(
        "p",
        { class: "cw-note", id: helpId },
        "Draw with mouse, finger or pen. With keys: arrows move the pen, Space lowers and lifts it, Delete clears.",
      ),
    ),
  );

  const redraw = oncePerFrame(() => {
    const empty = area.strokes().length === 0;
    area.redraw(null);
    hint.hidden = !empty;
    undoButton.disabled = clearButton.disabled = empty;
  });

  /** Encode the drawing, if it has changed; an empty one leaves everything as it is. */
  function look(ended) {
    redraw();
    const points = area.strokes().reduce((sum, stroke) => sum + stroke.length, 0);
    if (points && (points !== drawn || ended)) {
      onChoose(
        Uint8Array.from(strokesToDigit(area.strokes()), (v) => Math.round(255 * v)),
        ended,
      );
    }
    drawn = points;
  }

  function undo() {
    area.undo();
    look(true);
  }

  function clear() {
    area.clear();
    drawn = 0;
    redraw();
  }

  redraw();
  return {
    thumbnails: h("div", { class: "cw-thumbnails" }, ...thumbnails),
    section,
    images,
    /** The number of the test digit that `image` is, or -1. */
    find: (image) => images.findIndex((other) => other.every((v, k) => v === image[k])),
    /** Mark test digit `k` as the one encoded; -1: none. */
    mark(k) {
      thumbnails.forEach((button, i) => button.setAttribute("aria-pressed", String(i === k)));
    },
    clear,
    cancel: () => redraw.cancel(),
  };
}
