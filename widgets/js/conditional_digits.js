// conditional_digits.js - noise and a label go in, a digit comes out: the packed generator in the page.

import { makeNet, toArrayBuffer } from "./lib/engine.js";
import { PIXELS, paintDigit, tile } from "./lib/pictures.js";
import { afterQuiet, signed, stepWithKeys } from "./lib/latent.js";
import { normal } from "./lib/random.js";
import { rangeField, selectField } from "./lib/fields.js";
import { h, oncePerFrame, ready } from "./lib/dom.js";

const CLASSES = 10;
const LARGEST = 4; // directions are moved by -4 to 4, standard deviations of the noise

function render({ model, el }) {
  const generator = makeNet(model.get("_generator"), model.get("_weights"));
  const scale = model.get("_label_scale");
  const flat = new Float32Array(toArrayBuffer(model.get("_directions")));
  const dim = generator.input - CLASSES;
  const directions = Array.from({ length: flat.length / dim }, (_, k) => flat.subarray(k * dim, (k + 1) * dim));

  let z = [...model.get("z")];
  let label = model.get("label");
  let other = model.get("other");
  let mixture = model.get("mixture");
  let truncation = model.get("truncation");
  let moved = directions.map(() => 0);
  let picture = new Uint8ClampedArray(PIXELS);

  /** The digit for a distribution over the ten labels, as 784 values of 0-255. */
  function generate(weights) {
    const input = new Float32Array(generator.input);
    for (let i = 0; i < dim; i++) {
      input[i] = truncation * z[i];
      for (let k = 0; k < directions.length; k++) input[i] += moved[k] * directions[k][i];
    }
    weights.forEach((weight, k) => (input[dim + k] = scale * weight));
    return Uint8ClampedArray.from(generator.forward(input), (v) => 255 * v);
  }

  const one = (k) => Array.from({ length: CLASSES }, (_, i) => Number(i === k));

  // -- elements
  const result = tile();
  const row = Array.from({ length: CLASSES }, (_, k) => {
    const part = tile();
    part.caption.textContent = String(k);
    const button = h("button", { type: "button", class: "cw-thumbnail gd-label", "aria-label": `Label ${k}` }, part.canvas);
    button.addEventListener("click", (event) => {
      if (event.shiftKey) other = k;
      else label = k;
      changed();
    });
    return { canvas: part.canvas, button, element: h("div", { class: "gd-class" }, button, h("span", { "aria-hidden": "true" }, String(k))) };
  });
  for (const { canvas } of row) {
    canvas.removeAttribute("role");
    canvas.removeAttribute("aria-label");
    canvas.setAttribute("aria-hidden", "true");
  }
  const otherBox = selectField({
    name: "Other label",
    options: one(-1).map((_, k) => [String(k), String(k)]),
    onChange(value) {
      other = Number(value);
      changed();
    },
  });
  const mixer = rangeField({
    name: "Share of the other label",
    min: 0,
    max: 1,
    step: 0.01,
    text: (v) => v.toFixed(2),
    onInput(v) {
      mixture = v;
      changed();
    },
  });
  const truncate = rangeField({
    name: "Truncation: the noise times",
    min: 0,
    max: 1.5,
    step: 0.05,
    text: (v) => v.toFixed(2),
    onInput(v) {
      truncation = v;
      changed();
    },
  });
  const movers = directions.map((_, k) => {
    const mover = rangeField({
      name: `Direction ${k + 1}`,
      min: -LARGEST,
      max: LARGEST,
      step: 0.05,
        text: signed,
      onInput(v) {
        moved[k] = v;
        changed();
      },
    });
    stepWithKeys(mover.input, 0.25, (difference) => {
      moved[k] = Math.max(-LARGEST, Math.min(LARGEST, moved[k] + difference));
      changed();
    });
    return mover;
  });
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const button = (text, act) => h("button", { type: "button", class: "cw-button", onclick: act }, text);
  const root = h(
    "div",
    { class: "cw gd", role: "group", "aria-label": "Generate digits from noise and a label" },
    h(
      "div",
      { class: "gd-main" },
      h(
        "div",
        { class: "gd-result" },
        result.element,
        button("New noise", () => {
          z = z.map(() => normal());
          moved = moved.map(() => 0);
          changed();
        }),
      ),
      h(
        "div",
        { class: "gd-controls" },
        otherBox.element,
        mixer.element,
        truncate.element,
      ),
    ),
    h("div", { class: "cw-title gd-heading" }, "The same noise with each label: choose one"),
    h("div", { class: "gd-row" }, ...row.map((part) => part.element)),
    h("div", { class: "cw-title gd-heading" }, "Move the noise along a direction that matters to the generator"),
    h("div", { class: "gd-movers" }, ...movers.map((mover) => mover.element)),
    live,
  );

  // -- what is shown
  function draw() {
    const start = performance.now();
    const weights = one(label).map((v, k) => (1 - mixture) * v + mixture * Number(k === other));
    picture = generate(weights);
    paintDigit(result.canvas, picture);
    const mixed = mixture > 0 && other !== label;
    const name = mixed ? `${mixture.toFixed(2)} of the way from ${label} to ${other}` : `Label ${label}`;
    result.caption.textContent = name;
    result.canvas.setAttribute("aria-label", `The generated digit: ${name}`);
    row.forEach(({ canvas, button: choice }, k) => {
      paintDigit(canvas, generate(one(k)));
      choice.setAttribute("aria-pressed", String(k === label));
    });
    otherBox.show(String(other));
    mixer.show(mixture);
    truncate.show(truncation);
    movers.forEach((mover, k) => mover.show(moved[k]));
    root.dataset.ms = (performance.now() - start).toFixed(2);
  }
  const redraw = oncePerFrame(draw);

  function changed() {
    redraw();
    settle();
  }

  // -- in step with Python, and with other views of the same model
  const settle = afterQuiet(250, () => {
    redraw.cancel();
    draw();
    live.textContent = `${result.caption.textContent}, noise times ${truncation.toFixed(2)}.`;
    model.set("z", [...z]);
    model.set("label", label);
    model.set("other", other);
    model.set("mixture", mixture);
    model.set("truncation", truncation);
    model.save_changes();
  });

  function pull() {
    const point = model.get("z");
    if (!point.every((v, i) => v === z[i])) {
      z = [...point];
      moved = moved.map(() => 0);
    }
    label = model.get("label");
    other = model.get("other");
    mixture = model.get("mixture");
    truncation = model.get("truncation");
    redraw();
  }
  const pullSoon = oncePerFrame(pull);
  const watched = ["z", "label", "other", "mixture", "truncation"].map((name) => `change:${name}`);
  for (const name of watched) model.on(name, pullSoon);
  draw();
  el.append(root);
  ready(root);

  // for tests and for the curious: document.querySelector(".gd").conditionalDigits.picture
  root.conditionalDigits = {
    get picture() {
      return [...picture];
    },
    get z() {
      return [...z];
    },
  };

  return () => {
    for (const name of watched) model.off(name, pullSoon);
    root.remove();
    for (const job of [redraw, pullSoon, settle]) job.cancel();
  };
}

export default { render };
