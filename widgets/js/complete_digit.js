// complete_digit.js - the upper half of a digit is given; an LSTM draws lower halves, patch by patch.

import { makeNet, sigmoid, toArrayBuffer } from "./lib/engine.js";
import { SIDE } from "./lib/mnist.js";
import { PIXELS, paintDigit, tile } from "./lib/pictures.js";
import { afterQuiet, digitChooser } from "./lib/latent.js";
import { uniform } from "./lib/random.js";
import { rangeField } from "./lib/fields.js";
import { h, oncePerFrame, ready } from "./lib/dom.js";

const SIZE = 7; // a patch has 7 x 7 pixels, a picture 4 x 4 patches in reading order
const PATCH = SIZE * SIZE;
const PATCHES = 16;
const GIVEN = 8; // patches of the upper half
const NEIGHBOURS = [1, 4, 5, 3]; // how far back the patches lie that the head is shown
const SAMPLES = 5;
const PAUSE = 70; // ms between two patches, to see them come

/** The place of pixel `i` of patch `t` in a picture of 784. */
function placeOf(t, i) {
  const row = SIZE * Math.floor(t / 4) + Math.floor(i / SIZE);
  return row * SIDE + SIZE * (t % 4) + (i % SIZE);
}

/** Draws patch after patch: `begin(image)` reads the upper half, `next(drawing, …)` adds a patch. */
function patchDrawer(lstm, head, positions) {
  const [layer] = lstm.layers;
  const width = positions.length / PATCHES;
  const empty = new Float32Array(PATCH);
  const x = new Float32Array(lstm.input / PATCHES);
  const shown = new Float32Array(head.input);

  /** Read what comes before patch `t`, and lay the head's context ready. */
  function read(drawing, t) {
    const back = (k) => drawing.patches[t - k] ?? empty;
    x.set(back(1));
    x.set(back(4), PATCH);
    x.set(positions.subarray(t * width, (t + 1) * width), 2 * PATCH);
    const hidden = layer.step(x, drawing.state);
    shown.fill(0);
    shown.set(hidden, PATCH);
    for (let k = 0, at = PATCH + hidden.length; at < head.input; k++, at += PATCH) shown.set(back(NEIGHBOURS[k]), at);
  }

  function begin(image) {
    const patches = Array.from({ length: GIVEN }, (_, t) => Float32Array.from({ length: PATCH }, (_, i) => image[placeOf(t, i)] / 255));
    const drawing = { patches, state: layer.start(), picture: new Uint8ClampedArray(PIXELS) };
    for (let t = 0; t < GIVEN; t++) {
      read(drawing, t);
      patches[t].forEach((v, i) => (drawing.picture[placeOf(t, i)] = 255 * v));
    }
    return drawing;
  }

  const copy = ({ patches, state, picture }) => ({
    patches: [...patches],
    state: { h: state.h.slice(), c: state.c.slice() },
    picture: picture.slice(),
  });

  /** Draw the next patch, pixel by pixel; a temperature of 0 takes the likelier value each time. */
  function next(drawing, temperature, random) {
    const t = drawing.patches.length;
    read(drawing, t);
    const patch = new Float32Array(PATCH);
    for (let i = 0; i < PATCH; i++) {
      const logit = head.forward(shown)[i];
      const p = temperature > 0 ? sigmoid(logit / temperature) : Number(logit > 0);
      shown[i] = patch[i] = Number(random() < p);
      drawing.picture[placeOf(t, i)] = 255 * p; // the probability looks better than the speckle
    }
    drawing.patches.push(patch);
  }

  /** The head's logits for the lower half of a binary picture, 8 x 49, as in training. */
  function logits(image) {
    const drawing = begin(image);
    const out = [];
    for (let t = GIVEN; t < PATCHES; t++) {
      read(drawing, t);
      const patch = Float32Array.from({ length: PATCH }, (_, i) => image[placeOf(t, i)] / 255);
      shown.set(patch);
      out.push(...head.forward(shown));
      drawing.patches.push(patch);
    }
    return out;
  }

  return { begin, copy, next, logits };
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const lstm = makeNet(model.get("_lstm"), model.get("_lstm_weights"));
  const head = makeNet(model.get("_head"), model.get("_head_weights"));
  const positions = new Float32Array(toArrayBuffer(model.get("_positions")));
  const drawer = patchDrawer(lstm, head, positions);
  const labels = model.get("_example_labels");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  let image = new Uint8Array(toArrayBuffer(model.get("image")));
  let temperature = model.get("temperature");
  let seed = 1;
  let random = uniform(seed);
  let given = drawer.begin(image);
  let drawings = [];
  let timer = 0;
  let sending = false; // whether Python has yet to hear of a new image

  // -- elements
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const half = tile();
  const tiles = Array.from({ length: SAMPLES }, tile);
  const average = tile();
  half.caption.textContent = "Given";
  half.canvas.setAttribute("aria-label", "The upper half that is given");
  average.caption.textContent = "Average";
  average.canvas.setAttribute("aria-label", `The average of the ${SAMPLES} completions`);
  tiles.forEach(({ canvas, caption }, k) => {
    caption.textContent = `Sample ${k + 1}`;
    canvas.setAttribute("aria-label", `Completion ${k + 1}`);
  });
  const slider = rangeField({
    name: "Temperature",
    min: 0,
    max: 1.5,
    step: 0.05,
    text: (v) => v.toFixed(2),
    onInput(v) {
      temperature = v;
      again();
    },
  });
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels,
    summary: "Or draw a digit, and have its upper half completed",
    onChoose(pixels, ended) {
      image = Uint8Array.from(pixels);
      sending = true;
      given = drawer.begin(image);
      again();
      if (!ended) clearTimeout(timer); // complete it when the stroke ends
    },
    say: (text) => (live.textContent = text),
  });
  const root = h(
    "div",
    { class: "cw cd", role: "group", "aria-label": "Complete the lower half of a digit" },
    h("div", { class: "cw-title" }, "Take the upper half of a test digit"),
    chooser.thumbnails,
    chooser.section,
    h("div", { class: "cd-tiles" }, half.element, ...tiles.map((t) => t.element), average.element),
    h(
      "div",
      { class: "cd-controls" },
      h("button", { type: "button", class: "cw-button", onclick: () => more() }, "Draw again"),
      slider.element,
    ),
    h(
      "p",
      { class: "cw-note" },
      "The network reads the upper eight patches and draws the lower eight, one after the other, each pixel " +
        "with the probability that it gives it. At temperature 0 it takes the likelier value every time; above 1 " +
        "it grows wild. Shown are the probabilities by which pixels were drawn.",
    ),
    live,
  );

  // -- drawing
  /** Start the completions anew, with the same random numbers. */
  function again() {
    clearTimeout(timer);
    random = uniform(seed);
    drawings = tiles.map(() => drawer.copy(given));
    paint();
    timer = setTimeout(grow, PAUSE);
    settle();
  }

  function more() {
    seed += 1;
    again();
  }

  /** One more patch in every completion; those who want no motion see them when they are whole. */
  function grow() {
    for (const drawing of drawings) drawer.next(drawing, temperature, random);
    const done = drawings[0].patches.length === PATCHES;
    if (done || !still) paint();
    if (!done) timer = setTimeout(grow, still ? 0 : PAUSE);
  }

  function paint() {
    const k = chooser.find(image);
    paintDigit(half.canvas, given.picture);
    drawings.forEach(({ picture }, i) => paintDigit(tiles[i].canvas, picture));
    paintDigit(
      average.canvas,
      drawings[0].picture.map((_, i) => drawings.reduce((sum, { picture }) => sum + picture[i], 0) / SAMPLES),
    );
    half.caption.textContent = k < 0 ? "Given" : `Given, of a ${labels[k]}`;
    chooser.mark(k);
    slider.show(temperature);
    root.dataset.patches = drawings[0].patches.length;
  }

  // -- in step with Python, and with other views of the same model
  const settle = afterQuiet(250, () => {
    live.textContent = `${SAMPLES} completions at temperature ${temperature.toFixed(2)}.`;
    if (!sending && temperature === model.get("temperature")) return;
    if (sending) model.set("image", new DataView(image.slice().buffer));
    sending = false;
    model.set("temperature", temperature);
    model.save_changes();
  });

  function pull() {
    const theirs = new Uint8Array(toArrayBuffer(model.get("image")));
    const same = theirs.every((v, i) => v === image[i]);
    if (same && model.get("temperature") === temperature) return; // our own change
    if (!same) {
      chooser.clear();
      image = theirs;
      given = drawer.begin(image);
      sending = false;
    }
    temperature = model.get("temperature");
    again();
  }
  const pullSoon = oncePerFrame(pull);

  model.on("change:image", pullSoon);
  model.on("change:temperature", pullSoon);
  again();
  el.append(root);
  ready(root);

  // for tests and for the curious: document.querySelector(".cd").completeDigit.pictures
  root.completeDigit = {
    logits: (pixels) => drawer.logits(pixels),
    get pictures() {
      return drawings.map(({ picture }) => [...picture]);
    },
    get patches() {
      return drawings.map(({ patches }) => patches.map((p) => [...p]));
    },
  };

  return () => {
    clearTimeout(timer);
    model.off("change:image", pullSoon);
    model.off("change:temperature", pullSoon);
    root.remove(); // first: it may take the focus from the drawing area, which asks for a redraw
    for (const job of [pullSoon, settle, chooser]) job.cancel();
  };
}

export default { render };
