// centre_patch.js - the middle of a digit is given; a slider says how closely the rest must keep to it.

import { toFloats } from "./lib/bytes.js";
import { digitChooser } from "./lib/chooser.js";
import { makeNet, sigmoid, softmax } from "./lib/engine.js";
import { interpolate, percent } from "./lib/numbers.js";
import { PIXELS, SIDE, bytesToInk, paintDigit, tile } from "./lib/pictures.js";
import { normal } from "./lib/random.js";
import { rangeField } from "./lib/fields.js";
import { button, h, title } from "./lib/dom.js";
import { inStep } from "./lib/step.js";

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

function render({ model, el }) {
  const generator = makeNet(model.get("_generator"));
  const shortcut = makeNet(model.get("_shortcut"));
  const classifier = makeNet(model.get("_classifier"));
  const labels = model.get("_example_labels");
  const curve = model.get("_curve");
  const dim = generator.input - PATCH;
  const start = toFloats(model.get("_z"));
  const step = inStep(model, ["image", "log_lambda"]);
  const { state } = step;
  let noise = Array.from({ length: SAMPLES }, (_, k) => start.slice(k * dim, (k + 1) * dim));
  let pictures = [];

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
    onInput: (log_lambda) => step.move({ log_lambda }),
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
      step.move({ image });
      if (ended) step.rest();
    },
    say: step.say,
  });
  const newNoise = button("New noise", () => {
    noise = noise.map((z) => z.map(() => normal()));
    step.move();
  });
  const number = (name, value) => h("p", {}, h("span", { class: "cw-title" }, name), value);
  const root = h(
    "div",
    { class: "cw cp", role: "group", "aria-label": "Complete a digit around its middle" },
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
    chooser.thumbnails,
    chooser.section,
  );

  // -- what is shown
  function read(picture) {
    const p = softmax(classifier.forward(bytesToInk(picture)));
    const best = p.indexOf(Math.max(...p));
    return { best, share: p[best] };
  }

  /** The samples for a patch, and their mean squared error in it. */
  function complete(patch) {
    const input = new Float32Array(generator.input);
    input.set(bytesToInk(patch));
    const condition = Float32Array.of(state.log_lambda);
    const direct = shortcut.forward(input.subarray(0, PATCH), condition).slice();
    let error = 0;
    pictures = noise.map((z) => {
      input.set(z, PATCH);
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
    given.caption.textContent = label < 0 ? "Given" : `Given, of a ${label}`;
    given.canvas.setAttribute("aria-label", "The ten by ten pixels that are given");
    here.textContent = complete(patch).toFixed(4);
    let same = 0;
    pictures.forEach((picture, s) => {
      const { best, share } = read(picture);
      same += Number(best === label);
      paintDigit(tiles[s].canvas, picture);
      tiles[s].caption.textContent = `${best}, ${percent(share)}`;
      tiles[s].canvas.setAttribute("aria-label", `Sample ${s + 1}, read as ${best}, ${percent(share)}`);
    });
    agreement.textContent = label < 0 ? "–" : `${same} of ${SAMPLES}`;
    chooser.mark(k);
    slider.show(state.log_lambda);
    const [mse, frechet, variance] = interpolate(curve, state.log_lambda);
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
    pulled: (changed) => changed.includes("image") && chooser.clear(),
    jobs: [chooser],
  });
}

export default { render };
