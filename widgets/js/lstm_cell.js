// lstm_cell.js - a cell of one unit reads sixteen numbers: its gates, what it keeps and what it shows.

import { classBars } from "./lib/bars.js";
import { chart, corners } from "./lib/chart.js";
import { button, h, setAll, svg, title } from "./lib/dom.js";
import { sigmoid } from "./lib/engine.js";
import { rangeField, selectField } from "./lib/fields.js";
import { clamp, minus, signed } from "./lib/numbers.js";
import { presetRow } from "./lib/presets.js";
import { inStep } from "./lib/step.js";

const STEPS = 16;
const LIMIT = 8; // of a bias
const TOP = 4; // of the memory in the chart, on either side of 0
const U = 0.5; // the plain unit by hand: h = tanh(W x + U h)
const W = 1.5;

/** The cell after each input: the same as cell_steps() in lstm_cell.py. */
function cellSteps(inputs, weights) {
  let [c, shown] = [0, 0];
  return inputs.map((x) => {
    const sum = (name) => weights[name][0] * x + weights[name][1] * shown + weights[name][2];
    const [i, f, o] = ["i", "f", "o"].map((name) => sigmoid(sum(name)));
    const g = Math.tanh(sum("g"));
    const before = { c, h: shown };
    c = f * c + i * g;
    shown = o * Math.tanh(c);
    return { x, i, f, g, o, c, h: shown, before };
  });
}

const three = (v) => minus(v.toFixed(3));

function memoryChart() {
  const plot = chart({ wide: 360, tall: 190, edge: { left: 30, right: 8, top: 8, bottom: 26 } });
  const at = (k, v) => [plot.x(k / (STEPS - 1)), plot.y((clamp(v, -TOP, TOP) + TOP) / (2 * TOP))];
  for (const v of [-4, -2, 0, 2, 4]) plot.element.append(plot.across(at(0, v)[1]), plot.beside(at(0, v)[1], minus(String(v))));
  for (const k of [0, 7, 15]) plot.element.append(plot.below(at(k, 0)[0], String(k + 1)));
  const inputs = Array.from({ length: STEPS }, () => svg("line", { class: "lc-input" }));
  const cursor = svg("line", { class: "lc-cursor", y1: plot.top, y2: plot.bottom });
  const plain = svg("polyline", { class: "lc-plain" });
  const rest = svg("polyline", { class: "lc-memory lc-rest" });
  const memory = svg("polyline", { class: "lc-memory" });
  const dot = svg("circle", { class: "lc-dot", r: 6 });
  plot.element.append(cursor, ...inputs, plain, rest, memory, dot);
  return {
    element: plot.element,
    show(steps, unit, now) {
      const curve = steps.map(({ c }, k) => at(k, c));
      setAll(memory, { points: corners(curve.slice(0, now)) });
      setAll(rest, { points: corners(curve.slice(now - 1)) });
      setAll(plain, { points: corners(unit.map((v, k) => at(k, v))) });
      const [cx, cy] = curve[now - 1];
      setAll(dot, { cx, cy });
      setAll(cursor, { x1: cx, x2: cx });
      inputs.forEach((bar, k) => {
        const [x1, y1] = at(k, 0);
        setAll(bar, { x1, x2: x1, y1, y2: at(k, steps[k].x)[1] });
      });
      setAll(plot.element, { "aria-label": `The memory c over sixteen steps; after step ${now} it is ${three(steps[now - 1].c)}, at the end ${three(steps[STEPS - 1].c)}` });
    },
  };
}

function render({ model, el }) {
  const [weights, sequences, presets] = ["_weights", "_sequences", "_presets"].map((name) => model.get(name));
  const step = inStep(model, ["step", "forget", "enter", "sequence"]);
  const { state } = step;

  const numbers = () => cellSteps(sequences[state.sequence], { ...weights, f: [...weights.f.slice(0, 2), state.forget], i: [...weights.i.slice(0, 2), state.enter] });
  /** The plain unit on the same inputs. */
  const plainUnit = () => {
    let v = 0;
    return sequences[state.sequence].map((x) => (v = Math.tanh(W * x + U * v)));
  };

  const bias = (name, trait) => rangeField({ name, min: -LIMIT, max: LIMIT, step: 0.25, text: signed, onInput: (v) => step.move({ [trait]: v }), onChange: (v) => step.commit({ [trait]: v }) });
  const forget = bias("Bias of the forget gate f", "forget");
  const enter = bias("Bias of the input gate i", "enter");
  const place = rangeField({ name: "Step", min: 1, max: STEPS, step: 1, text: (v) => `${v} of ${STEPS}`, onInput: (v) => step.move({ step: v }), onChange: (v) => step.commit({ step: v }) });
  const menu = selectField({ name: "What comes by", options: Object.keys(sequences).map((name) => [name, name]), onChange: (v) => step.commit({ sequence: v, step: 1 }) });
  const on = button("Next step", () => step.commit({ step: Math.min(STEPS, state.step + 1) }));
  const back = button("Step back", () => step.commit({ step: Math.max(1, state.step - 1) }));
  const cases = presetRow(presets, ({ forget, enter, sequence }) => step.commit({ forget, enter, sequence, step: STEPS }));
  const matching = () => presets.find((p) => ["forget", "enter", "sequence"].every((name) => p[name] === state[name]));
  const gates = classBars({ names: ["i", "f", "o"], prefix: "lc-gate", valueClass: "", label: "Gates, from 0, shut, to 1, open" });
  const values = classBars({ names: ["g", "c", "h"], prefix: "lc-value", valueClass: "", label: "Candidate g, memory c and output h" });
  const picture = memoryChart();
  const story = h("p", { class: "lc-story" });
  const part = (name, ...elements) => h("div", {}, title(name), ...elements);
  const root = h(
    "div",
    { class: "cw lc", role: "group", "aria-label": "One LSTM cell, step by step" },
    cases.element,
    part("Memory c (blue), inputs (grey), a plain unit (dashed)", picture.element),
    h("div", { class: "lc-pair" }, part("Gates: 0 is shut, 1 is open", gates.element), part("Values, from −4 to 4", values.element)),
    story,
    h("div", { class: "cw-buttons" }, back, on),
    h("div", { class: "lc-pair" }, place.element, menu.element, forget.element, enter.element),
  );

  function sentence() {
    const { x, i, f, g, o, c, h: shown, before } = numbers()[state.step - 1];
    return `Step ${state.step}: ${minus(String(x))} comes in. c = f · ${three(before.c)} + i · g = ${three(f)} · ${three(before.c)} + ${three(i)} · ${three(g)} = ${three(c)}, and h = o · tanh c = ${three(o)} · ${three(Math.tanh(c))} = ${three(shown)}.`;
  }

  function draw() {
    const steps = numbers();
    const now = steps[state.step - 1];
    gates.show([now.i, now.f, now.o], [now.i, now.f, now.o].map(three));
    values.show([now.g, now.c, now.h].map((v) => clamp(v / TOP, -1, 1)), [now.g, now.c, now.h].map(three));
    picture.show(steps, plainUnit(), state.step);
    forget.show(state.forget);
    enter.show(state.enter);
    place.show(state.step);
    menu.show(state.sequence);
    back.disabled = state.step === 1;
    on.disabled = state.step === STEPS;
    cases.show(matching());
    story.textContent = sentence();
  }

  root.lstmCell = { numbers }; // for tests and for the curious
  return step.mount({ el, root, draw, sentence });
}

export default { render };
