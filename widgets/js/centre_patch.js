// centre_patch.js - the middle of a digit is given; a slider says how closely the rest must keep to it.

import { makeNet, sigmoid, softmax, toArrayBuffer } from "./lib/engine.js";
import { SIDE } from "./lib/mnist.js";
import { PIXELS, paintDigit, tile } from "./lib/pictures.js";
import { afterQuiet, digitChooser, stepWithKeys } from "./lib/latent.js";
import { normal } from "./lib/random.js";
import { rangeField } from "./lib/fields.js";
import { h, oncePerFrame, percent, ready } from "./lib/dom.js";

const FIRST = 9; // rows and columns 9 to 18 are the patch
const SIZE = 10;
const PATCH = SIZE * SIZE;
const SAMPLES = 6;

/** Where in a picture the pixels of the patch lie, row by row. */
const PLACES = Array.from({ length: PATCH }, (_, k) => (FIRST + Math.floor(k / SIZE)) * SIDE + FIRST + (k % SIZE));

/** The values of the patch. */
const patchOf = (pixels) => Float32Array.from(PLACES, (place) => pixels[place]);

/** lambda as text: two significant digits. */
const lambdaText = (logLambda) => {
  const value = 10 ** logLambda;
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
};

/** Columns of `curve`, rows [log lambda, ...], linearly between the measured rows. */
function interpolate(curve, at) {
  let k = 1;
  while (k < curve.length - 1 && curve[k][0] < at) k++;
  const [[a, ...from], [b, ...to]] = [curve[k - 1], curve[k]];
  const share = Math.max(0, Math.min(1, (at - a) / (b - a)));
  return from.map((value, i) => value + share * (to[i] - value));
}

function render({ model, el }) {
  const generator = makeNet(model.get("_generator"), model.get("_generator_weights"));
  const shortcut = makeNet(model.get("_shortcut"), model.get("_shortcut_weights"));
  const classifier = makeNet(model.get("_classifier"), model.get("_classifier_weights"));
  const labels = model.get("_example_labels");
  const curve = model.get("_curve");
  const dim = generator.input - PATCH;
  const [low, high] = [curve[0][0], curve[curve.length - 1][0]];

  let image = new Uint8Array(toArrayBuffer(model.get("image")));
  let logLambda = model.get("log_lambda");
  const start = new Float32Array(toArrayBuffer(model.get("_z")));
  let noise = Array.from({ length: SAMPLES }, (_, k) => start.slice(k * dim, (k + 1) * dim));
  let pictures = [];
  let sending = false; // whether Python has yet to hear of a new image
  let heard = ""; // what is said to screen readers

  // -- elements
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const given = tile();
  const tiles = Array.from({ length: SAMPLES }, tile);
  const slider = rangeField({
    name: "λ: weight of the centre error",
    min: low,
    max: high,
    step: 0.01,
    text: lambdaText,
    spoken: (v) => `lambda ${lambdaText(v)}`,
    onInput: move,
    ends: ["anything goes", "keep the middle"],
  });
  stepWithKeys(slider.input, 0.05, (difference) => move(logLambda + difference));
  const here = h("b");
  const agreement = h("b");
  const everywhere = h("p", { class: "cw-note cp-everywhere" });
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels,
    summary: "Or draw a digit, and use its middle",
    onChoose(pixels, ended) {
      image = Uint8Array.from(pixels);
      sending = true;
      changed();
      if (ended) settle.now();
    },
    say: (text) => (live.textContent = text),
  });
  const root = h(
    "div",
    { class: "cw cp", role: "group", "aria-label": "Complete a digit around its middle" },
    slider.element,
    h("div", { class: "cp-tiles" }, given.element, ...tiles.map((t) => t.element)),
    h(
      "div",
      { class: "cp-numbers" },
      h("p", {}, h("span", { class: "cw-title" }, "Centre error of these six"), here),
      h("p", {}, h("span", { class: "cw-title" }, "Read as the same digit"), agreement),
      h(
        "button",
        {
          type: "button",
          class: "cw-button",
          onclick() {
            noise = noise.map((z) => z.map(() => normal()));
            changed();
          },
        },
        "New noise",
      ),
    ),
    everywhere,
    h("div", { class: "cw-title cp-heading" }, "Take the middle of a test digit"),
    chooser.thumbnails,
    chooser.section,
    live,
  );

  // -- what is shown
  function read(pixels) {
    const p = softmax(classifier.forward(Float32Array.from(pixels, (v) => v / 255)).slice());
    const best = p.indexOf(Math.max(...p));
    return { best, share: p[best] };
  }

  function draw() {
    const began = performance.now();
    const patch = patchOf(image);
    const k = chooser.find(image);
    const label = k < 0 ? -1 : labels[k];
    const shown = new Uint8Array(PIXELS);
    PLACES.forEach((place, i) => (shown[place] = patch[i]));
    paintDigit(given.canvas, shown);
    given.caption.textContent = label < 0 ? "Given" : `Given, of a ${label}`;
    given.canvas.setAttribute("aria-label", "The ten by ten pixels that are given");
    const input = new Float32Array(generator.input);
    patch.forEach((v, i) => (input[i] = v / 255));
    const condition = Float32Array.of(logLambda);
    const direct = shortcut.forward(input.subarray(0, PATCH), condition).slice();
    let error = 0;
    let same = 0;
    pictures = noise.map((z, s) => {
      input.set(z, PATCH);
      const logits = generator.forward(input, condition).slice();
      PLACES.forEach((place, i) => (logits[place] += direct[i]));
      const picture = Uint8ClampedArray.from(logits, (v) => 255 * sigmoid(v));
      patchOf(picture).forEach((v, i) => (error += ((v - patch[i]) / 255) ** 2 / PATCH / SAMPLES));
      const { best, share } = read(picture);
      same += Number(best === label);
      paintDigit(tiles[s].canvas, picture);
      tiles[s].caption.textContent = `${best}, ${percent(share)}`;
      tiles[s].canvas.setAttribute("aria-label", `Sample ${s + 1}, read as ${best}, ${percent(share)}`);
      return picture;
    });
    chooser.mark(k);
    slider.show(logLambda);
    here.textContent = error.toFixed(4);
    agreement.textContent = label < 0 ? "–" : `${same} of ${SAMPLES}`;
    const [mse, frechet, variance] = interpolate(curve, logLambda);
    everywhere.textContent =
      `Measured over the test set at this λ: centre error ${mse.toPrecision(2)}, Fréchet distance ` +
      `${frechet.toFixed(2)}, variance outside the middle ${variance.toFixed(3)}.`;
    heard = `Lambda ${lambdaText(logLambda)}: centre error ${here.textContent}, read as the same digit ${agreement.textContent}.`;
    root.dataset.ms = (performance.now() - began).toFixed(2);
  }
  const redraw = oncePerFrame(draw);

  function move(to) {
    logLambda = Math.max(low, Math.min(high, to));
    changed();
  }

  function changed() {
    redraw();
    settle();
  }

  // -- in step with Python, and with other views of the same model
  const settle = afterQuiet(250, () => {
    redraw.cancel();
    draw();
    live.textContent = heard;
    if (!sending && model.get("log_lambda") === logLambda) return;
    if (sending) model.set("image", new DataView(image.slice().buffer));
    sending = false;
    model.set("log_lambda", logLambda);
    model.save_changes();
  });

  function pull() {
    const theirs = new Uint8Array(toArrayBuffer(model.get("image")));
    const same = theirs.every((v, i) => v === image[i]);
    if (same && model.get("log_lambda") === logLambda) return; // our own change
    if (!same) {
      chooser.clear();
      image = theirs;
      sending = false;
    }
    logLambda = model.get("log_lambda");
    redraw();
  }
  const pullSoon = oncePerFrame(pull);

  model.on("change:image", pullSoon);
  model.on("change:log_lambda", pullSoon);
  draw();
  el.append(root);
  ready(root);

  // for tests and for the curious: document.querySelector(".cp").centrePatch.pictures
  root.centrePatch = {
    get pictures() {
      return pictures.map((picture) => [...picture]);
    },
    get noise() {
      return noise.map((z) => [...z]);
    },
  };

  return () => {
    model.off("change:image", pullSoon);
    model.off("change:log_lambda", pullSoon);
    root.remove(); // first: it may take the focus from the drawing area, which asks for a redraw
    for (const job of [redraw, pullSoon, settle, chooser]) job.cancel();
  };
}

export default { render };
