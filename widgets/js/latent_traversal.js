// latent_traversal.js - one slider for each dimension of the latent space that the model uses.

import { makeNet, toArrayBuffer } from "./lib/engine.js";
import { SIDE } from "./lib/mnist.js";
import { PIXELS, paintDigit, tile } from "./lib/pictures.js";
import { freshId, h, oncePerFrame, ready } from "./lib/dom.js";
import {
  afterQuiet,
  decodeDigit,
  digitChooser,
  encodeDigit,
  idleJob,
  placeDigit,
  signed,
  stepWithKeys,
} from "./lib/latent.js";
import { normal } from "./lib/random.js";

const TILES = 7; // decoded digits along a slider
const LARGEST = 3; // sliders go from -3 to 3, standard deviations of the prior
const STEP = 0.1;
const IN_VIEW = 8; // sliders above the fold

/** Cross-entropy, in nats, of a picture of 0-255 under the decoder's logits: -log p(x | z). */
function crossEntropy(image, logits) {
  let sum = 0;
  for (let k = 0; k < PIXELS; k++) {
    const a = logits[k];
    sum += Math.max(a, 0) - (a * image[k]) / 255 + Math.log1p(Math.exp(-Math.abs(a)));
  }
  return sum;
}

/**
 * The slider of dimension `dim`, laid over a strip of decoded digits: each is what the decoder draws if
 * this dimension has the value at that place and the others stay as they are.
 */
function dimensionRow({ rank, dim, kl, onMove }) {
  const id = freshId();
  const input = h("input", {
    id,
    type: "range",
    min: -LARGEST,
    max: LARGEST,
    step: 0.01,
    class: "lt-range",
  });
  input.addEventListener("input", () => onMove(dim, Number(input.value)));
  const strip = h("canvas", { class: "lt-strip", width: TILES * SIDE, height: SIDE, "aria-hidden": "true" });
  const value = h("output", { class: "lt-value", for: id });
  const code = h("span", { class: "lt-code", "aria-hidden": "true" });
  const label = h(
    "label",
    { class: "lt-label", for: id },
    h("b", {}, `${rank}`),
    ` z[${dim}], `,
    h("span", {}, `KL ${kl.toFixed(2)} nats`),
  );
  const element = h(
    "div",
    { class: "lt-row" },
    h("div", { class: "lt-row-head" }, label, value),
    h("div", { class: "lt-track" }, strip, code, input),
  );
  const place = (v) => (v + LARGEST) / (2 * LARGEST);
  const row = {
    dim,
    element,
    stale: 0, // tiles of the strip still to be painted
    show(v) {
      input.value = v;
      input.setAttribute("aria-valuetext", signed(v));
      value.textContent = signed(v);
    },
    showCode({ mean, sd }) {
      const ends = [mean[dim] - sd[dim], mean[dim] + sd[dim]].map((v) => Math.max(0, Math.min(1, place(v))));
      code.style.left = `${100 * ends[0]}%`;
      code.style.width = `${100 * (ends[1] - ends[0])}%`;
    },
    /** Paint the next tile: the digit at the value that lies under the tile's middle. */
    paintTile(decoder, z) {
      const column = TILES - row.stale;
      const point = [...z];
      point[dim] = LARGEST * ((2 * column + 1) / TILES - 1);
      placeDigit(strip.getContext("2d"), column * SIDE, 0, decodeDigit(decoder, point));
      row.stale -= 1;
    },
  };
  stepWithKeys(input, STEP, (difference) => {
    const v = Number(input.value) + difference;
    onMove(dim, Math.max(-LARGEST, Math.min(LARGEST, Math.round(v * 100) / 100)));
  });
  return row;
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const encoder = makeNet(model.get("_encoder"), model.get("_encoder_weights"));
  const decoder = makeNet(model.get("_decoder"), model.get("_decoder_weights"));
  const exampleLabels = model.get("_example_labels");
  const kl = model.get("_kl");
  const active = model.get("_active");
  const inactive = decoder.input - active.length;

  // What is shown: the image that was encoded, its code, and the point that is decoded.
  let image = new Uint8Array(toArrayBuffer(model.get("image")));
  let code = encodeDigit(encoder, image);
  let z = [...model.get("z")];
  let picture = new Uint8ClampedArray(PIXELS);
  let news = ""; // what happened, for screen readers
  let sending = false; // whether Python has yet to hear of a new image

  // -- elements
  const original = tile();
  const decoded = tile();
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const cost = h("b");
  const rows = active.map((dim, k) => dimensionRow({ rank: k + 1, dim, kl: kl[k], onMove: moveOne }));
  const button = (text, onclick) => h("button", { type: "button", class: "cw-button", onclick }, text);
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels: exampleLabels,
    onChoose: encodeImage,
    say: (text) => (live.textContent = text),
  });
  const more =
    rows.length > IN_VIEW
      ? h(
          "details",
          { class: "lt-more" },
          h("summary", {}, `The other ${rows.length - IN_VIEW} active dimensions`),
          h("div", { class: "lt-rows" }, ...rows.slice(IN_VIEW).map((row) => row.element)),
        )
      : null;
  more?.addEventListener("toggle", () => stripsJob.start());

  const root = h(
    "div",
    { class: "cw lt", role: "group", "aria-label": "Traverse the latent space" },
    h(
      "div",
      { class: "lt-top" },
      h("div", { class: "lt-pictures" }, original.element, decoded.element),
      h(
        "div",
        { class: "lt-actions" },
        h(
          "p",
          { class: "lt-cost" },
          h("span", { class: "cw-title" }, "Cross-entropy with the original"),
          cost,
        ),
        button("Reset to the code", () => moveAll(code.mean, "Back at the code.")),
        button("All to zero (prior mean)", () => moveAll(z.map(() => 0), "All dimensions at zero, the prior’s mean.")),
        button("Sample from the prior", () => moveAll(z.map(() => normal()), "A sample from the prior.")),
      ),
    ),
    h(
      "div",
      { class: "lt-choose", role: "group", "aria-label": "Encode a digit" },
      h("div", { class: "cw-title" }, "Encode a test digit: the sliders jump to its code"),
      chooser.thumbnails,
    ),
    chooser.section,
    h(
      "div",
      { class: "lt-dimensions", role: "group", "aria-label": "Latent dimensions" },
      h("div", { class: "cw-title" }, `Move one dimension, from −${LARGEST} to ${LARGEST}: largest KL first`),
      h("div", { class: "lt-rows" }, ...rows.slice(0, IN_VIEW).map((row) => row.element)),
    ),
    ...(more ? [more] : []),
    h(
      "p",
      { class: "cw-note" },
      "Behind each slider: what the decoder draws at that value, the others staying where they are. The ",
      h("span", { class: "lt-orange" }, "orange"),
      " bar is the code, one standard deviation to either side of its mean. ",
      inactive
        ? `${inactive} of ${decoder.input} dimensions have no slider: their KL is too small to say anything about a digit.`
        : "Every dimension has a slider.",
    ),
    live,
  );

  // -- what the reader can do
  function moveOne(dim, value) {
    z[dim] = value;
    for (const row of rows) if (row.dim !== dim) row.stale = TILES; // its own strip holds
    news = "";
    moved();
  }

  function moveAll(point, what) {
    z = [...point];
    for (const row of rows) row.stale = TILES;
    news = what;
    moved();
    settle.now();
  }

  function encodeImage(pixels, ended) {
    image = Uint8Array.from(pixels);
    code = encodeDigit(encoder, image);
    z = [...code.mean];
    for (const row of rows) row.stale = TILES;
    const k = chooser.find(image);
    news = k < 0 ? "Your drawing is encoded." : `Test digit ${k + 1}, labelled ${exampleLabels[k]}, is encoded.`;
    sending = true;
    moved();
    if (ended) settle.now();
  }

  function moved() {
    stripsJob.stop();
    root.dataset.strips = "stale"; // until the job has looked
    redraw();
    settle();
  }

  // -- the strips, in idle time
  const stripsJob = idleJob(() => {
    const next = rows.findIndex((row, k) => row.stale > 0 && (k < IN_VIEW || more.open));
    root.dataset.strips = next < 0 ? "ready" : "stale";
    if (next < 0) return false;
    rows[next].paintTile(decoder, z);
    return true;
  });

  // -- from the point to what is shown
  function draw() {
    const start = performance.now();
    picture = decodeDigit(decoder, z);
    const logits = decoder.activations[decoder.activations.length - 1];
    paintDigit(original.canvas, image);
    paintDigit(decoded.canvas, picture);
    const k = chooser.find(image);
    const name = k < 0 ? "The original" : `The original, a ${exampleLabels[k]}`;
    original.caption.textContent = name;
    original.canvas.setAttribute("aria-label", name);
    decoded.caption.textContent = "Decoded from z";
    decoded.canvas.setAttribute("aria-label", "What the decoder draws from the sliders' values");
    cost.textContent = `${crossEntropy(image, logits).toFixed(1)} nats`;
    for (const row of rows) {
      row.show(z[row.dim]);
      row.showCode(code);
    }
    chooser.mark(k);
    root.dataset.ms = (performance.now() - start).toFixed(2);
  }
  const redraw = oncePerFrame(draw);

  // -- in step with Python, and with other views of the same model
  const same = (a, b) => a.every((v, i) => v === b[i]);
  const settle = afterQuiet(250, () => {
    redraw.cancel();
    draw();
    if (news) live.textContent = `${news} Cross-entropy ${cost.textContent}.`;
    stripsJob.start();
    if (same(z, model.get("z")) && !sending) return;
    if (sending) model.set("image", new DataView(image.slice().buffer));
    sending = false;
    model.set("z", [...z]);
    model.save_changes();
  });

  function pull() {
    const theirs = new Uint8Array(toArrayBuffer(model.get("image")));
    const point = model.get("z");
    if (same(theirs, image) && same(point, z)) return; // our own change
    if (!same(theirs, image)) {
      chooser.clear();
      image = theirs;
      code = encodeDigit(encoder, image);
    }
    z = [...point];
    for (const row of rows) row.stale = TILES;
    news = "Set in the notebook.";
    sending = false;
    moved();
    settle.now();
  }
  const pullSoon = oncePerFrame(pull); // image and z arrive one after the other

  model.on("change:image", pullSoon);
  model.on("change:z", pullSoon);
  for (const row of rows) row.stale = TILES;
  draw();
  el.append(root);
  ready(root);
  stripsJob.start();

  // for tests and for the curious: document.querySelector(".lt").latentTraversal.decoded
  root.latentTraversal = {
    get z() {
      return [...z];
    },
    get image() {
      return image.slice();
    },
    get decoded() {
      return picture.slice();
    },
  };

  return () => {
    model.off("change:image", pullSoon);
    model.off("change:z", pullSoon);
    root.remove(); // first: it may take the focus from the drawing area, which asks for a redraw
    for (const job of [redraw, pullSoon, settle, chooser]) job.cancel();
    stripsJob.stop();
  };
}

export default { render };
