// conditional_digits.js - noise and a label go in, a digit comes out: the packed generator in the page.

import { toFloats } from "./lib/bytes.js";
import { makeNet } from "./lib/engine.js";
import { signed } from "./lib/numbers.js";
import { PIXELS, paintDigit, thumbnail, tile } from "./lib/pictures.js";
import { normal } from "./lib/random.js";
import { rangeField, selectField } from "./lib/fields.js";
import { button, h, title } from "./lib/dom.js";
import { inStep } from "./lib/step.js";

const CLASSES = 10;
const LARGEST = 4; // directions are moved by -4 to 4, standard deviations of the noise

function render({ model, el }) {
  const generator = makeNet(model.get("_generator"));
  const scale = model.get("_label_scale");
  const flat = toFloats(model.get("_directions"));
  const dim = generator.input - CLASSES;
  const directions = Array.from({ length: flat.length / dim }, (_, k) => flat.subarray(k * dim, (k + 1) * dim));
  const step = inStep(model, ["z", "label", "other", "mixture", "truncation"]);
  const { state } = step;
  let moved = directions.map(() => 0);
  let picture = new Uint8ClampedArray(PIXELS);

  /** The digit for a distribution over the ten labels, as 784 bytes. */
  function generate(weights) {
    const input = new Float32Array(generator.input);
    for (let i = 0; i < dim; i++) {
      input[i] = state.truncation * state.z[i];
      for (let k = 0; k < directions.length; k++) input[i] += moved[k] * directions[k][i];
    }
    weights.forEach((weight, k) => (input[dim + k] = scale * weight));
    return Uint8ClampedArray.from(generator.forward(input), (v) => 255 * v);
  }

  const one = (k) => Array.from({ length: CLASSES }, (_, i) => Number(i === k));

  // -- elements
  const result = tile();
  const choices = Array.from({ length: CLASSES }, (_, k) =>
    thumbnail(`Label ${k}`, (event) => step.move(event.shiftKey ? { other: k } : { label: k }), "gd-label"),
  );
  const otherBox = selectField({
    name: "Other label",
    options: choices.map((_, k) => [String(k), String(k)]),
    onChange: (value) => step.move({ other: Number(value) }),
  });
  const share = { min: 0, step: 0.01, text: (v) => v.toFixed(2) };
  const mixer = rangeField({ ...share, name: "Share of the other label", max: 1, onInput: (mixture) => step.move({ mixture }) });
  const truncate = rangeField({
    ...share,
    name: "Truncation: the noise times",
    max: 1.5,
    step: 0.05,
    onInput: (truncation) => step.move({ truncation }),
  });
  const movers = directions.map((_, k) =>
    rangeField({
      name: `Direction ${k + 1}`,
      min: -LARGEST,
      max: LARGEST,
      step: 0.05,
      keyStep: 0.25,
      text: signed,
      onInput(v) {
        moved[k] = v;
        step.move();
      },
    }),
  );
  const newNoise = button("New noise", () => {
    moved = moved.map(() => 0);
    step.move({ z: state.z.map(() => normal()) });
  });
  const root = h(
    "div",
    { class: "cw gd", role: "group", "aria-label": "Generate digits from noise and a label" },
    h(
      "div",
      { class: "gd-main" },
      h("div", { class: "gd-result" }, result.element, newNoise),
      h("div", { class: "gd-controls" }, otherBox.element, mixer.element, truncate.element),
    ),
    title("The same noise with each label: choose one", "gd-heading"),
    h(
      "div",
      { class: "gd-row" },
      ...choices.map(({ element }, k) => h("div", { class: "gd-class" }, element, h("span", { "aria-hidden": "true" }, String(k)))),
    ),
    title("Move the noise along a direction that matters to the generator", "gd-heading"),
    h("div", { class: "gd-movers" }, ...movers.map((mover) => mover.element)),
  );

  // -- what is shown
  function draw() {
    const { label, other, mixture } = state;
    picture = generate(one(label).map((v, k) => (1 - mixture) * v + mixture * Number(k === other)));
    paintDigit(result.canvas, picture);
    const mixed = mixture > 0 && other !== label;
    const name = mixed ? `${mixture.toFixed(2)} of the way from ${label} to ${other}` : `Label ${label}`;
    result.caption.textContent = name;
    result.canvas.setAttribute("aria-label", `The generated digit: ${name}`);
    choices.forEach(({ canvas, press }, k) => {
      paintDigit(canvas, generate(one(k)));
      press(k === label);
    });
    otherBox.show(String(other));
    mixer.show(mixture);
    truncate.show(state.truncation);
    movers.forEach((mover, k) => mover.show(moved[k]));
  }

  // for tests and for the curious: document.querySelector(".gd").conditionalDigits.picture
  root.conditionalDigits = {
    get picture() {
      return [...picture];
    },
    get z() {
      return [...state.z];
    },
  };

  return step.mount({
    el,
    root,
    draw,
    sentence: () => `${result.caption.textContent}, noise times ${state.truncation.toFixed(2)}.`,
    pulled(changed) {
      if (changed.includes("z")) moved = moved.map(() => 0);
    },
  });
}

export default { render };
