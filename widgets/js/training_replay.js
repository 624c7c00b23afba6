// training_replay.js - training, replayed: a step, a hidden unit, its weights, its gradient, the loss.

import { inflate, toFloats } from "./lib/bytes.js";
import { digitBars } from "./lib/bars.js";
import { chart, corners } from "./lib/chart.js";
import { rangeField } from "./lib/fields.js";
import { figure, grouped, largest, minus, norm, percent } from "./lib/numbers.js";
import { PIXELS, digitCanvas, paintWeights, thumbnail } from "./lib/pictures.js";
import { button, freshId, h, setAll, svg, title } from "./lib/dom.js";
import { inStep } from "./lib/step.js";

const CLASSES = 10;
const PLAY_MS = 320; // between two snapshots
const FULL = 127; // the level of the largest weight

// ---- the recording --------------------------------------------------------------------------------

/** Undo what TrainingReplay does in Python: zlib, changes from snapshot to snapshot, int8 and scales. */
async function unpackRecording(model) {
  const steps = model.get("_steps");
  const units = model.get("_units");
  const all = new Int8Array(await inflate(model.get("_packed")));
  const size = units * PIXELS;
  const w = all.subarray(0, steps.length * size);
  const g = all.subarray(steps.length * size);
  for (let k = size; k < w.length; k++) w[k] += w[k - size]; // int8 wraps around, as it did in Python
  const scales = toFloats(model.get("_scales"));
  const outgoing = toFloats(model.get("_outgoing"));
  const levels = (source, index, unit) => source.subarray((index * units + unit) * PIXELS).subarray(0, PIXELS);
  const values = (q, scale) => Float32Array.from(q, (level) => level * scale);
  return {
    steps,
    units,
    loss: model.get("_loss"),
    accuracy: model.get("_accuracy"),
    weightLevels: (index, unit) => levels(w, index, unit),
    gradientLevels: (index, unit) => levels(g, index, unit),
    weights: (index, unit) => values(levels(w, index, unit), scales[unit]),
    gradient: (index, unit) => values(levels(g, index, unit), scales[units * (1 + index) + unit]),
    outgoing: (index, unit) => outgoing.subarray((index * units + unit) * CLASSES).subarray(0, CLASSES),
    outgoingLimit: largest(outgoing),
  };
}

// ---- parts ----------------------------------------------------------------------------------------

/** A large picture with a heading above and figures below. */
function picture(heading) {
  const canvas = digitCanvas("");
  const caption = h("figcaption");
  return { canvas, caption, element: h("figure", { class: "tr-picture" }, title(heading), canvas, caption) };
}

/** The held-out loss over the steps, both axes logarithmic, with a cursor that `show` moves. */
function lossCurve({ steps, loss }) {
  const cursor = svg("line", { class: "tr-cursor" });
  const dot = svg("circle", { class: "tr-dot", r: 5 });
  const marks = svg("g");
  const line = svg("polyline", { class: "tr-line" });
  const edge = { left: 46, right: 14, top: 12, bottom: 26 };
  const label = "Held-out loss over the steps of training";
  const plot = chart({ wide: 640, tall: 170, edge, label }, marks, line, cursor, dot);
  const high = Math.log10(Math.max(...loss) * 1.1);
  const low = Math.log10(Math.min(...loss) / 1.1);
  const xOf = (step) => plot.x(Math.log10(1 + step) / Math.log10(1 + steps.at(-1)));
  const yOf = (value) => plot.y((Math.log10(value) - low) / (high - low));
  for (const value of [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]) {
    const y = yOf(value);
    if (y >= plot.top && y <= plot.bottom) marks.append(plot.across(y), plot.beside(y, String(value)));
  }
  for (let step = 1; step <= steps.at(-1); step *= 10) marks.append(plot.below(xOf(step), grouped(step)));
  line.setAttribute("points", corners(steps.map((step, k) => [xOf(step), yOf(loss[k])])));
  return {
    element: plot.element,
    show(k) {
      const x = xOf(steps[k]);
      setAll(cursor, { x1: x, x2: x, y1: plot.top - 6, y2: plot.bottom });
      setAll(dot, { cx: x, cy: yOf(loss[k]) });
    },
  };
}

/** Buttons with every hidden unit's weights; arrow keys walk over them as they are laid out. */
function unitGrid(count, labelledBy, onPick) {
  const buttons = Array.from({ length: count }, (_, k) => thumbnail(`Hidden unit ${k}`, () => onPick(k)));
  const element = h("div", { class: "tr-units", role: "group", "aria-labelledby": labelledBy }, ...buttons.map((b) => b.element));
  let chosen = 0;
  element.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(element).gridTemplateColumns.split(" ").length;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -chosen, End: count - 1 - chosen };
    const to = chosen + moves[event.key];
    if (!(event.key in moves)) return;
    event.preventDefault();
    if (to < 0 || to >= count) return;
    onPick(to);
    buttons[to].element.focus();
  });
  return {
    element,
    show(unit, levelsOf) {
      chosen = unit;
      buttons.forEach(({ canvas, element: choice, press }, k) => {
        paintWeights(canvas, levelsOf(k), FULL);
        press(k === unit);
        choice.tabIndex = k === unit ? 0 : -1; // one stop for Tab; arrows do the rest
      });
    },
  };
}

// ---- the widget -----------------------------------------------------------------------------------

async function render({ model, el }) {
  const tape = await unpackRecording(model);
  const last = tape.steps.length - 1;
  const step = inStep(model, ["index", "unit"]);
  const { state } = step;
  let timer = 0; // of the replay, 0 when it is paused

  // -- elements
  const slider = rangeField({
    name: "Step of training",
    min: 0,
    max: last,
    step: 1,
    text: (index) => `${grouped(tape.steps[index])} of ${grouped(tape.steps[last])}`,
    spoken: (index) => `step ${grouped(tape.steps[index])} of ${grouped(tape.steps[last])}`,
    onInput(index) {
      pause();
      step.change({ index });
    },
    onChange: () => step.commit(),
    classes: { output: "tr-step" },
  });
  const play = button("Play", () => (timer ? stop() : start()), "tr-play");
  const curve = lossCurve(tape);
  const lossText = h("p", { class: "tr-loss" });
  const weights = picture("Incoming weights");
  const gradient = picture("Their gradient");
  const bars = digitBars({ prefix: "tr", valueClass: "tr-value", label: "Weights to the ten classes" });
  const barsTitle = title("");
  const unitsId = freshId();
  const units = unitGrid(tape.units, unitsId, (unit) => step.commit({ unit }));
  const root = h(
    "div",
    { class: "cw tr", role: "group", "aria-label": "Training replayed" },
    h("div", { class: "tr-controls" }, play, h("div", { class: "tr-slide" }, slider.label, slider.input), slider.output),
    curve.element,
    lossText,
    h("div", { class: "tr-main" }, weights.element, gradient.element, h("div", { class: "tr-out" }, barsTitle, bars.element)),
    h(
      "p",
      { class: "cw-note" },
      h("span", { class: "cw-raises" }, "Orange"),
      " is positive, ",
      h("span", { class: "cw-lowers" }, "blue"),
      " negative. Weights keep one scale per unit through all steps. The gradient is that of the step’s batch, " +
        "brightened anew at each step; its size is the figure below it. Training moves weights against it.",
    ),
    h("div", { class: "cw-title tr-head", id: unitsId }, "Hidden units: choose one, arrow keys too"),
    units.element,
  );

  // -- what the reader can do
  function start() {
    timer = setInterval(() => {
      if (state.index + 1 < last) step.change({ index: state.index + 1 });
      else stop(last);
    }, PLAY_MS);
    step.change({ index: state.index === last ? 0 : state.index });
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
  }

  function stop(index = state.index) {
    pause();
    step.commit({ index });
  }

  // -- what is shown
  function draw() {
    const { index, unit } = state;
    slider.show(index);
    play.textContent = timer ? "Pause" : "Play";
    curve.show(index);
    lossText.replaceChildren(
      "Held-out loss ",
      h("b", {}, tape.loss[index].toFixed(3)),
      " nats, accuracy ",
      h("b", {}, percent(tape.accuracy[index], 1)),
    );
    paintWeights(weights.canvas, tape.weightLevels(index, unit), FULL);
    weights.canvas.setAttribute("aria-label", `Incoming weights of unit ${unit}, 28 by 28`);
    weights.caption.replaceChildren("norm ", h("b", { class: "tr-wnorm" }, figure(norm(tape.weights(index, unit)))));
    paintWeights(gradient.canvas, tape.gradientLevels(index, unit), FULL);
    gradient.canvas.setAttribute("aria-label", `Gradient of the weights of unit ${unit}, 28 by 28`);
    gradient.caption.replaceChildren("norm ", h("b", { class: "tr-gnorm" }, figure(norm(tape.gradient(index, unit)))));
    barsTitle.textContent = `Outgoing weights of unit ${unit}`;
    const outgoing = [...tape.outgoing(index, unit)];
    bars.show(outgoing.map((v) => v / (tape.outgoingLimit || 1)), outgoing.map((v) => minus(v.toFixed(2))));
    units.show(unit, (k) => tape.weightLevels(index, k));
  }

  function sentence() {
    const { index, unit } = state;
    const g = figure(norm(tape.gradient(index, unit)));
    return (
      `Step ${grouped(tape.steps[index])}, unit ${unit}: loss ${tape.loss[index].toFixed(3)}, ` +
      `accuracy ${percent(tape.accuracy[index], 1)}, gradient norm ${g}.`
    );
  }

  // for tests and for the curious: document.querySelector(".tr").trainingReplay.weights
  root.trainingReplay = {
    get weights() {
      return tape.weights(state.index, state.unit);
    },
    get gradient() {
      return tape.gradient(state.index, state.unit);
    },
    get outgoing() {
      return tape.outgoing(state.index, state.unit).slice();
    },
  };

  return step.mount({ el, root, draw, sentence, pulled: pause, jobs: [{ cancel: pause }] });
}

export default { render };
