// centre_patch.js - the middle of a digit is given; a slider says how closely the rest must keep to it.

import { toFloats } from "./lib/bytes.js";
import { digitChooser } from "./lib/chooser.js";
import { makeNet, sigmoid, softmax } from "./lib/engine.js";
import { clamp, interpolate, percent } from "./lib/numbers.js";
import { PIXELS, SIDE, bytesToInk, paintDigit, tile } from "./lib/pictures.js";
import { mapPad } from "./lib/plane.js";
import { normal } from "./lib/random.js";
import { rangeField } from "./lib/fields.js";
import { button, freshId, h, title } from "./lib/dom.js";
import { presetRow } from "./lib/presets.js";
import { inStep } from "./lib/step.js";

const FIRST = 9; // rows and columns 9 to 18 are the patch
const SIZE = 10;
const PATCH = SIZE * SIZE;
const SAMPLES = 6;

/** Where in a picture the pixels of the patch lie, row by row. */
const PLACES = Array.from({ length: PATCH }, (_, k) => (FIRST + Math.floor(k / SIZE)) * SIDE + FIRST + (k % SIZE));

/** The values of the patch. */
const patchOf = (pixels) => Float32Array.from(PLACES, (place) => pixels[place]);

/** The picture moved so that what lies `right` and `up` of its middle comes to the middle. */
function moved(pixels, [right, up]) {
  const out = new Uint8Array(PIXELS);
  for (let k = 0; k < PIXELS; k++) {
    const row = Math.floor(k / SIDE) - up;
    const column = (k % SIDE) + right;
    if (row >= 0 && row < SIDE && column >= 0 && column < SIDE) out[k] = pixels[row * SIDE + column];
  }
  return out;
}

/** lambda as text: two significant digits. */
const lambdaText = (logLambda) => {
  const value = 10 ** logLambda;
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
};

function render({ model, el }) {
  const read = (generator, shortcut, curve) => ({
    generator: makeNet(model.get(generator)),
    shortcut: makeNet(model.get(shortcut)),
    curve: model.get(curve),
  });
  const main = read("_generator", "_shortcut", "_curve");
  const hasRival = model.get("_rival_curve").length > 0;
  const rival = hasRival ? read("_rival_generator", "_rival_shortcut", "_rival_curve") : null;
  const presets = model.get("_presets");
  const classifier = makeNet(model.get("_classifier"));
  const labels = model.get("_example_labels");
  const { curve } = main; // the slider's ends
  const dim = main.generator.input - PATCH;
  const start = toFloats(model.get("_z"));
  const step = inStep(model, ["image", "log_lambda", "rival"]);
  const { state } = step;
  const first = { image: state.image, log_lambda: state.log_lambda };
  let preset = null;
  let noise = Array.from({ length: SAMPLES }, (_, k) => start.slice(k * dim, (k + 1) * dim));
  let pictures = [];
  let source = state.image; // the picture that the frame is moved over
  let frame = [0, 0]; // its place: pixels to the right of the middle, and up

  // -- elements
  const given = tile();
  const tiles = Array.from({ length: SAMPLES }, tile);
  const slider = rangeField({
    name: "λ: weight of the centre error",
    min: curve[0][0],
    max: curve.at(-1)[0],
    step: 0.01,
    keyStep: 0.05,
    text: lambdaText,
    spoken: (v) => `lambda ${lambdaText(v)}`,
    onInput: (log_lambda) => step.move({ log_lambda }), // a preset stays: its network, and its reason
    ends: ["anything goes", "keep the middle"],
  });
  const here = h("b");
  const agreement = h("b");
  const everywhere = h("p", { class: "cw-note cp-everywhere" });
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels,
    summary: "Or draw a digit, and use its middle",
    onChoose(image, ended) {
      if (!state.rival) preset = null;
      take(image);
      step.move({ image });
      if (ended) step.rest();
    },
    say: step.say,
  });
  const hint = h("p", { class: "cw-note", id: freshId() }, "Drag the frame, or move it with the arrow keys: its ten by ten pixels are given as a middle. The network learned from middles only; what it makes of a corner it was never asked before.");
  const whole = h("canvas", { class: "cp-whole", width: SIDE, height: SIDE, "aria-hidden": "true" });
  const pad = mapPad({
    canvas: whole,
    name: "The digit, with a frame around the pixels that are given",
    reach: () => SIDE / 2,
    keyStep: () => 1,
    describedBy: hint.id,
    point: () => frame,
    onMove(point) {
      if (!state.rival) preset = null;
      frame = point.map((v) => clamp(Math.round(v), -FIRST, FIRST));
      step.move({ image: moved(source, frame) });
    },
    onEnd: step.rest,
  });
  const newNoise = button("New noise", () => {
    noise = noise.map((z) => z.map(() => normal()));
    step.move();
  });
  const cases = presetRow(presets, choosePreset, { label: "Cases to look at" });
  const number = (name, value) => h("p", {}, h("span", { class: "cw-title" }, name), value);
  const root = h(
    "div",
    { class: "cw cp", role: "group", "aria-label": "Complete a digit around its middle" },
    cases.element,
    slider.element,
    h("div", { class: "cp-tiles" }, given.element, ...tiles.map((t) => t.element)),
    h(
      "div",
      { class: "cp-numbers" },
      number("Centre error of these six", here),
      number("Read as the same digit", agreement),
      newNoise,
    ),
    everywhere,
    title("Take the middle of a test digit", "cp-heading"),
    h("div", { class: "cp-source" }, pad.element, hint),
    chooser.thumbnails,
    chooser.section,
  );

  // -- what is shown
  /** Another picture, with the frame in its middle. */
  function take(image) {
    source = image;
    frame = [0, 0];
  }

  function choosePreset(chosen) {
    preset = chosen;
    noise = Array.from({ length: SAMPLES }, (_, k) => start.slice(k * dim, (k + 1) * dim));
    chooser.clear();
    const image = "example" in chosen ? chooser.images[chosen.example].slice() : first.image;
    take(image);
    step.commit({ image, log_lambda: chosen.log_lambda ?? first.log_lambda, rival: chosen.rival ?? false });
  }

  function recognise(picture) {
    const p = softmax(classifier.forward(bytesToInk(picture)));
    const best = p.indexOf(Math.max(...p));
    return { best, share: p[best] };
  }

  /** The samples for a patch, and their mean squared error in it. */
  function complete(patch) {
    const { generator, shortcut } = state.rival ? rival : main;
    const input = new Float32Array(generator.input);
    input.set(bytesToInk(patch));
    if (state.rival) input[PATCH] = state.log_lambda; // told by one more input
    const given = PATCH + Number(state.rival);
    const condition = state.rival ? [] : Float32Array.of(state.log_lambda);
    const direct = shortcut.forward(input.subarray(0, given), condition).slice();
    let error = 0;
    pictures = noise.map((z) => {
      input.set(z, given);
      const logits = generator.forward(input, condition).slice();
      PLACES.forEach((place, i) => (logits[place] += direct[i]));
      const picture = Uint8ClampedArray.from(logits, (v) => 255 * sigmoid(v));
      patchOf(picture).forEach((v, i) => (error += ((v - patch[i]) / 255) ** 2 / PATCH / SAMPLES));
      return picture;
    });
    return error;
  }

  function draw() {
    const patch = patchOf(state.image);
    const k = chooser.find(state.image);
    const label = k < 0 ? -1 : labels[k];
    const shown = new Uint8Array(PIXELS);
    PLACES.forEach((place, i) => (shown[place] = patch[i]));
    paintDigit(given.canvas, shown);
    paintDigit(whole, source);
    pad.show(frame);
    given.caption.textContent = label < 0 ? "Given" : `Given, of a ${label}`;
    given.canvas.setAttribute("aria-label", "The ten by ten pixels that are given");
    here.textContent = complete(patch).toFixed(4);
    let same = 0;
    pictures.forEach((picture, s) => {
      const { best, share } = recognise(picture);
      same += Number(best === label);
      paintDigit(tiles[s].canvas, picture);
      tiles[s].caption.textContent = `${best}, ${percent(share)}`;
      tiles[s].canvas.setAttribute("aria-label", `Sample ${s + 1}, read as ${best}, ${percent(share)}`);
    });
    agreement.textContent = label < 0 ? "–" : `${same} of ${SAMPLES}`;
    chooser.mark(chooser.find(source));
    slider.show(state.log_lambda);
    cases.show(preset);
    const [mse, frechet, variance] = interpolate(state.rival ? rival.curve : curve, state.log_lambda);
    everywhere.textContent =
      `Measured over the test set at this λ: centre error ${mse.toPrecision(2)}, Fréchet distance ` +
      `${frechet.toFixed(2)}, variance outside the middle ${variance.toFixed(3)}.`;
  }

  const sentence = () =>
    `Lambda ${lambdaText(state.log_lambda)}: centre error ${here.textContent}, read as the same digit ${agreement.textContent}.`;

  // for tests and for the curious: document.querySelector(".cp").centrePatch.pictures
  root.centrePatch = {
    get pictures() {
      return pictures.map((picture) => [...picture]);
    },
    get noise() {
      return noise.map((z) => [...z]);
    },
  };

  return step.mount({
    el,
    root,
    draw,
    sentence,
    pulled(changed) {
      preset = null;
      if (!changed.includes("image")) return;
      chooser.clear();
      take(state.image);
    },
    jobs: [chooser],
  });
}

export default { render };
