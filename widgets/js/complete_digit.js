// complete_digit.js - the upper half of a digit is given; an LSTM draws lower halves, patch by patch.

import { toFloats } from "./lib/bytes.js";
import { digitChooser } from "./lib/chooser.js";
import { makeNet, sigmoid } from "./lib/engine.js";
import { PIXELS, SIDE, paintDigit, tile } from "./lib/pictures.js";
import { uniform } from "./lib/random.js";
import { rangeField } from "./lib/fields.js";
import { button, h, title } from "./lib/dom.js";
import { inStep } from "./lib/step.js";

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
  const lstm = makeNet(model.get("_lstm"));
  const head = makeNet(model.get("_head"));
  const drawer = patchDrawer(lstm, head, toFloats(model.get("_positions")));
  const labels = model.get("_example_labels");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const step = inStep(model, ["image", "temperature"]);
  const { state } = step;
  let seed = 1;
  let random = uniform(seed);
  let given = drawer.begin(state.image);
  let drawings = [];
  let timer = 0;

  // -- elements
  const half = tile();
  const tiles = Array.from({ length: SAMPLES }, tile);
  const average = tile();
  const name = ({ canvas, caption }, text, label) => {
    caption.textContent = text;
    canvas.setAttribute("aria-label", label);
  };
  name(half, "Given", "The upper half that is given");
  name(average, "Average", `The average of the ${SAMPLES} completions`);
  tiles.forEach((one, k) => name(one, `Sample ${k + 1}`, `Completion ${k + 1}`));
  const slider = rangeField({
    name: "Temperature",
    min: 0,
    max: 1.5,
    step: 0.05,
    text: (v) => v.toFixed(2),
    onInput: (temperature) => again({ temperature }),
  });
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels,
    summary: "Or draw a digit, and have its upper half completed",
    onChoose(image, ended) {
      given = drawer.begin(image);
      again({ image });
      if (!ended) clearTimeout(timer); // complete it when the stroke ends
    },
    say: step.say,
  });
  const root = h(
    "div",
    { class: "cw cd", role: "group", "aria-label": "Complete the lower half of a digit" },
    title("Take the upper half of a test digit"),
    chooser.thumbnails,
    chooser.section,
    h("div", { class: "cd-tiles" }, half.element, ...tiles.map((t) => t.element), average.element),
    h("div", { class: "cd-controls" }, button("Draw again", () => more()), slider.element),
    h(
      "p",
      { class: "cw-note" },
      "The network reads the upper eight patches and draws the lower eight, one after the other, each pixel " +
        "with the probability that it gives it. At temperature 0 it takes the likelier value every time; above 1 " +
        "it grows wild. Shown are the probabilities by which pixels were drawn.",
    ),
  );

  // -- drawing
  /** Start the completions anew, with the same random numbers. */
  function again(values = {}) {
    clearTimeout(timer);
    random = uniform(seed);
    drawings = tiles.map(() => drawer.copy(given));
    root.dataset.patches = GIVEN;
    timer = setTimeout(grow, PAUSE);
    step.move(values);
  }

  function more() {
    seed += 1;
    again();
  }

  /** One more patch in every completion; those who want no motion see them when they are whole. */
  function grow() {
    for (const drawing of drawings) drawer.next(drawing, state.temperature, random);
    step.change();
    if (drawings[0].patches.length < PATCHES) timer = setTimeout(grow, still ? 0 : PAUSE);
  }

  function draw() {
    const patches = drawings[0].patches.length;
    if (still && patches > GIVEN && patches < PATCHES) return;
    const k = chooser.find(state.image);
    paintDigit(half.canvas, given.picture);
    drawings.forEach(({ picture }, i) => paintDigit(tiles[i].canvas, picture));
    paintDigit(
      average.canvas,
      given.picture.map((_, i) => drawings.reduce((sum, { picture }) => sum + picture[i], 0) / SAMPLES),
    );
    half.caption.textContent = k < 0 ? "Given" : `Given, of a ${labels[k]}`;
    chooser.mark(k);
    slider.show(state.temperature);
    root.dataset.patches = patches;
  }

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

  again();
  return step.mount({
    el,
    root,
    draw,
    sentence: () => `${SAMPLES} completions at temperature ${state.temperature.toFixed(2)}.`,
    pulled(changed) {
      if (changed.includes("image")) {
        chooser.clear();
        given = drawer.begin(state.image);
      }
      again();
    },
    jobs: [chooser, { cancel: () => clearTimeout(timer) }],
  });
}

export default { render };
