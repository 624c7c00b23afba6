// latent_traversal.js - one slider for each dimension of the latent space that the model uses.

import { digitChooser } from "./lib/chooser.js";
import { makeNet } from "./lib/engine.js";
import { rangeField } from "./lib/fields.js";
import { decodeDigit, encodeDigit } from "./lib/latent.js";
import { clamp, signed } from "./lib/numbers.js";
import { PIXELS, SIDE, paintDigit, tile } from "./lib/pictures.js";
import { normal } from "./lib/random.js";
import { button, h, title } from "./lib/dom.js";
import { inStep, whenIdle } from "./lib/step.js";

const TILES = 7; // decoded digits along a slider
const LARGEST = 3; // sliders go from -3 to 3, standard deviations of the prior
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
  const field = rangeField({
    name: [h("b", {}, `${rank}`), ` z[${dim}], `, h("span", {}, `KL ${kl.toFixed(2)} nats`)],
    min: -LARGEST,
    max: LARGEST,
    step: 0.01,
    keyStep: 0.1,
    text: signed,
    onInput: (v) => onMove(dim, v),
    classes: { label: "lt-label", output: "lt-value", input: "lt-range" },
  });
  const strip = h("canvas", { class: "lt-strip", width: TILES * SIDE, height: SIDE, "aria-hidden": "true" });
  const code = h("span", { class: "lt-code", "aria-hidden": "true" });
  const place = (v) => clamp((v + LARGEST) / (2 * LARGEST), 0, 1);
  const row = {
    dim,
    element: h("div", { class: "cw-field lt-row" }, field.row, h("div", { class: "lt-track" }, strip, code, field.input)),
    stale: 0, // tiles of the strip still to be painted
    show: field.show,
    showCode({ mean, sd }) {
      const [from, to] = [place(mean[dim] - sd[dim]), place(mean[dim] + sd[dim])];
      code.style.left = `${100 * from}%`;
      code.style.width = `${100 * (to - from)}%`;
    },
    /** Paint the next tile: the digit at the value that lies under the tile's middle. */
    paintTile(decoder, z) {
      const column = TILES - row.stale;
      const point = [...z];
      point[dim] = LARGEST * ((2 * column + 1) / TILES - 1);
      paintDigit(strip, decodeDigit(decoder, point), column * SIDE);
      row.stale -= 1;
    },
  };
  return row;
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const encoder = makeNet(model.get("_encoder"));
  const decoder = makeNet(model.get("_decoder"));
  const labels = model.get("_example_labels");
  const kl = model.get("_kl");
  const active = model.get("_active");
  const inactive = decoder.input - active.length;

  // What is shown: the image that was encoded, its code, and the point that is decoded.
  const step = inStep(model, ["image", "z"]);
  const { state } = step;
  let code = encodeDigit(encoder, state.image);
  let picture = new Uint8ClampedArray(PIXELS);
  let news = ""; // what happened, for screen readers

  // -- elements
  const original = tile();
  const decoded = tile();
  const cost = h("b");
  const rows = active.map((dim, k) => dimensionRow({ rank: k + 1, dim, kl: kl[k], onMove: moveOne }));
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels,
    onChoose: encodeImage,
    say: step.say,
  });
  const rowElements = rows.map((row) => row.element);
  const more = h(
    "details",
    { class: "lt-more" },
    h("summary", {}, `The other ${rows.length - IN_VIEW} active dimensions`),
    h("div", { class: "lt-rows" }, ...rowElements.slice(IN_VIEW)),
  );
  more.addEventListener("toggle", () => strips());

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
        h("p", { class: "lt-cost" }, h("span", { class: "cw-title" }, "Cross-entropy with the original"), cost),
        button("Reset to the code", () => moveAll(code.mean, "Back at the code.")),
        button("All to zero (prior mean)", () => moveAll(state.z.map(() => 0), "All dimensions at zero, the prior’s mean.")),
        button("Sample from the prior", () => moveAll(state.z.map(() => normal()), "A sample from the prior.")),
      ),
    ),
    h(
      "div",
      { class: "lt-choose", role: "group", "aria-label": "Encode a digit" },
      title("Encode a test digit: the sliders jump to its code"),
      chooser.thumbnails,
    ),
    chooser.section,
    h(
      "div",
      { class: "lt-dimensions", role: "group", "aria-label": "Latent dimensions" },
      title(`Move one dimension, from −${LARGEST} to ${LARGEST}: largest KL first`),
      h("div", { class: "lt-rows" }, ...rowElements.slice(0, IN_VIEW)),
    ),
    ...(rows.length > IN_VIEW ? [more] : []),
    h(
      "p",
      { class: "cw-note" },
      "Behind each slider: what the decoder draws at that value, the others staying where they are. The ",
      h("span", { class: "cw-raises" }, "orange"),
      " bar is the code, one standard deviation to either side of its mean. ",
      inactive
        ? `${inactive} of ${decoder.input} dimensions have no slider: their KL is too small to say anything about a digit.`
        : "Every dimension has a slider.",
    ),
  );

  // -- what the reader can do
  function moveOne(dim, value) {
    state.z[dim] = value;
    news = "";
    outdate((row) => row.dim !== dim); // its own strip holds
    step.move();
  }

  function moveAll(z, what) {
    news = what;
    outdate();
    step.move({ z: [...z] });
    step.rest();
  }

  function encodeImage(image, ended) {
    code = encodeDigit(encoder, image);
    const k = chooser.find(image);
    news = k < 0 ? "Your drawing is encoded." : `Test digit ${k + 1}, labelled ${labels[k]}, is encoded.`;
    outdate();
    step.move({ image, z: [...code.mean] });
    if (ended) step.rest();
  }

  // -- the strips, in idle time
  function outdate(which = () => true) {
    for (const row of rows.filter(which)) row.stale = TILES;
    strips.cancel();
    root.dataset.strips = "stale"; // until the job has looked
  }

  const strips = whenIdle(() => {
    const next = rows.find((row, k) => row.stale > 0 && (k < IN_VIEW || more.open));
    root.dataset.strips = next ? "stale" : "ready";
    next?.paintTile(decoder, state.z);
    return Boolean(next);
  });

  // -- from the point to what is shown
  function draw() {
    const { image, z } = state;
    picture = decodeDigit(decoder, z);
    const logits = decoder.activations.at(-1);
    paintDigit(original.canvas, image);
    paintDigit(decoded.canvas, picture);
    const k = chooser.find(image);
    const name = k < 0 ? "The original" : `The original, a ${labels[k]}`;
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
  }

  // for tests and for the curious: document.querySelector(".lt").latentTraversal.decoded
  root.latentTraversal = {
    get z() {
      return [...state.z];
    },
    get image() {
      return state.image.slice();
    },
    get decoded() {
      return picture.slice();
    },
  };

  outdate();
  strips();
  return step.mount({
    el,
    root,
    draw,
    sentence: () => news && `${news} Cross-entropy ${cost.textContent}.`,
    rested: strips,
    pulled(changed) {
      if (changed.includes("image")) {
        chooser.clear();
        code = encodeDigit(encoder, state.image);
      }
      news = "Set in the notebook.";
      outdate();
    },
    jobs: [chooser, strips],
  });
}

export default { render };
