// three_scores.js - three scores, their softmax as a point in a triangle, the loss, and the push p - y.

import { classBars } from "./lib/bars.js";
import { chart, corners } from "./lib/chart.js";
import { button, h, setAll, svg, title } from "./lib/dom.js";
import { softmax } from "./lib/engine.js";
import { rangeField, selectField } from "./lib/fields.js";
import { clamp, minus, percent, signed } from "./lib/numbers.js";
import { inStep } from "./lib/step.js";

const LIMIT = 6; // of a score
const MOST = 5; // nats, the top of the loss's chart

// ---- the triangle: a point for every three probabilities ------------------------------------------------

const CORNERS = [[20, 190], [240, 190], [130, 0.5]];
const NAMES = [[8, 204, "start"], [252, 204, "end"], [150, 10, "start"]];

/** Where three probabilities lie: their mean of the corners. */
const place = (p) => [0, 1].map((axis) => p.reduce((sum, share, k) => sum + share * CORNERS[k][axis], 0));

function triangle(names) {
  const path = svg("polyline", { class: "ts-path" });
  const step = svg("line", { class: "ts-step" });
  const dot = svg("circle", { class: "ts-dot", r: 8 });
  const centre = place([1 / 3, 1 / 3, 1 / 3]);
  const borders = CORNERS.map((_, k) => {
    const [x2, y2] = place(CORNERS.map((_, j) => (j === k ? 0 : 0.5)));
    return svg("line", { class: "cw-grid", x1: centre[0], y1: centre[1], x2, y2 });
  });
  const texts = NAMES.map(([x, y, anchor], k) => svg("text", { class: "ts-corner", x, y, "text-anchor": anchor }, names[k]));
  const element = svg(
    "svg",
    { class: "cw-chart", viewBox: "0 -6 260 216", role: "img" },
    svg("polygon", { class: "ts-edge", points: corners(CORNERS) }),
    ...borders,
    path,
    step,
    dot,
    ...texts,
  );
  return {
    element,
    /** The point, all points that other temperatures would give, and where one step leads. */
    show(p, others, next, label) {
      const [x1, y1] = place(p);
      const [x2, y2] = place(next);
      setAll(dot, { cx: x1, cy: y1 });
      setAll(step, { x1, y1, x2, y2 });
      setAll(path, { points: corners(others.map(place)) });
      texts.forEach((text, k) => text.classList.toggle("ts-right", k === label));
      setAll(element, { "aria-label": `A point in a triangle: ${names.map((name, k) => `${name} ${percent(p[k])}`).join(", ")}` });
    },
  };
}

// ---- the loss over the probability of the right class ---------------------------------------------------

function lossChart() {
  const plot = chart({ wide: 260, tall: 210, edge: { left: 30, right: 12, top: 10, bottom: 26 } });
  const at = (p) => [plot.x(p), plot.y(Math.min(1, -Math.log(p) / MOST))];
  const curve = Array.from({ length: 120 }, (_, i) => at(Math.exp(-MOST * (1 - i / 119))));
  for (const v of [0, 1, 2, 3, 4, 5]) plot.element.append(plot.across(plot.y(v / MOST)), plot.beside(plot.y(v / MOST), String(v)));
  for (const v of [0, 0.5, 1]) plot.element.append(plot.below(plot.x(v), String(v)));
  const dot = svg("circle", { class: "ts-dot", r: 8 });
  plot.element.append(svg("polyline", { class: "ts-loss", points: corners(curve) }), dot);
  return {
    element: plot.element,
    show(p, loss) {
      const [cx, cy] = at(Math.max(p, 1e-9));
      setAll(dot, { cx, cy });
      setAll(plot.element, { "aria-label": `The curve of minus log p; at p = ${p.toFixed(3)} it is ${loss.toFixed(3)}` });
    },
  };
}

// ---- the widget -------------------------------------------------------------------------------------------

function render({ model, el }) {
  const names = model.get("_names");
  const first = [...model.get("scores")];
  const step = inStep(model, ["scores", "shift", "temperature", "label"]);
  const { state } = step;

  /** The three probabilities, from the scores as they are or from others, at some temperature. */
  const probabilities = (scores = state.scores, temperature = state.temperature) => {
    const z = Float64Array.from(scores, (s) => (s + state.shift) / temperature);
    return softmax(z, z);
  };
  const lossOf = (p) => -Math.log(p[state.label]);
  const push = (p) => [...p].map((share, k) => share - (k === state.label));
  /** The scores one step further, against p - y. */
  const stepped = (p) => state.scores.map((s, k) => clamp(Number((s - push(p)[k]).toFixed(3)), -LIMIT, LIMIT));

  const sliders = names.map((name, k) => {
    const withScore = (v) => ({ scores: state.scores.map((s, j) => (j === k ? Number(v.toFixed(3)) : s)) });
    return rangeField({
      name: `Score of ${name}`,
      min: -LIMIT,
      max: LIMIT,
      step: 0.01,
      keyStep: 0.1,
      text: (v) => signed(v),
      onInput: (v) => step.move(withScore(v)),
      onChange: (v) => step.commit(withScore(v)),
    });
  });
  const shift = rangeField({ name: "Add to all three", min: -10, max: 10, step: 0.5, text: (v) => signed(v), onInput: (v) => step.move({ shift: v }), onChange: (v) => step.commit({ shift: v }) });
  const heat = rangeField({ name: "Temperature", min: 0.1, max: 10, perDecade: 20, text: (v) => v.toFixed(2), onInput: (v) => step.move({ temperature: v }), onChange: (v) => step.commit({ temperature: v }) });
  const label = selectField({ name: "Right class", options: names.map((name, k) => [k, name]), onChange: (v) => step.commit({ label: Number(v) }) });
  const learn = button("One step", () => step.commit({ scores: stepped(probabilities()) }));
  const again = button("From the start", () => step.commit({ scores: [...first], shift: 0, temperature: 1 }));
  const shares = classBars({ names, prefix: "ts", valueClass: "", label: "Probabilities" });
  const slopes = classBars({ names, prefix: "ts-push", valueClass: "", label: "p minus y" });
  const corner = triangle(names);
  const loss = lossChart();
  const lossTitle = title("");
  const story = h("p", { class: "ts-story" });
  const part = (name, element) => h("div", {}, typeof name === "string" ? title(name) : name, element);
  const root = h(
    "div",
    { class: "cw ts", role: "group", "aria-label": "Three scores and their softmax" },
    h("div", { class: "ts-fields" }, ...sliders.map((s) => s.element), shift.element, heat.element, label.element),
    h("div", { class: "ts-pair" }, part("Probabilities p", shares.element), part("p − y: the slope of the loss by each score", slopes.element)),
    h("div", { class: "ts-pair" }, part("The three probabilities as one point", corner.element), part(lossTitle, loss.element)),
    story,
    h("div", { class: "ts-buttons" }, learn, again),
    h("p", { class: "cw-note" }, "In the triangle: each corner is certainty, the grey curve is what other temperatures would make of these scores, and the orange line is where one step leads. A step moves every score by −(p − y). At a temperature T other than 1, the slope is (p − y) / T."),
  );

  function sentence() {
    const p = probabilities();
    const e = state.scores.map((s) => Math.exp((s + state.shift) / state.temperature));
    const number = (v) => (v >= 1e4 || v < 0.01 ? v.toExponential(1) : v.toPrecision(3));
    const k = state.label;
    return `e to the three scores${state.temperature === 1 ? "" : " over the temperature"}: ${e.map(number).join(", ")}; their sum is ${number(e[0] + e[1] + e[2])}. Class ${names[k]} gets ${number(e[k])} of it, p = ${p[k].toFixed(3)}, and the loss −log p is ${lossOf(p).toFixed(3)}.`;
  }

  function draw() {
    const p = probabilities();
    sliders.forEach((slider, k) => slider.show(state.scores[k]));
    shift.show(state.shift);
    heat.show(state.temperature);
    label.show(state.label);
    const best = p.indexOf(Math.max(...p));
    shares.show([...p], [...p].map((share) => percent(share, 1)), { "cw-best": best });
    const slope = push(p);
    slopes.show(slope, slope.map((v) => minus(v.toFixed(3))), { "cw-best": state.label });
    const heats = Array.from({ length: 61 }, (_, i) => 10 ** (i / 20 - 1.5));
    corner.show(p, heats.map((t) => probabilities(state.scores, t)), probabilities(stepped(p)), state.label);
    lossTitle.textContent = `Loss −log p of class ${names[state.label]}: ${lossOf(p).toFixed(3)} nats`;
    loss.show(p[state.label], lossOf(p));
    story.textContent = sentence();
  }

  root.threeScores = { numbers: () => ({ p: [...probabilities()], loss: lossOf(probabilities()), push: push(probabilities()) }) }; // for tests and for the curious
  return step.mount({ el, root, draw, sentence });
}

export default { render };
