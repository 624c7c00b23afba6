// tiny_network.js - two inputs, two hidden units, one output: every number of a forward and a backward pass.

import { button, freshId, h, svg } from "./lib/dom.js";
import { rangeField, selectField } from "./lib/fields.js";
import { clamp, minus } from "./lib/numbers.js";
import { inStep } from "./lib/step.js";

// ---- the network --------------------------------------------------------------------------------------

/** All values by name, forward: the same as forward() in tiny_network.py. */
function forward(n, target) {
  const a1 = n.w11 * n.x1 + n.w12 * n.x2 + n.b11;
  const a2 = n.w21 * n.x1 + n.w22 * n.x2 + n.b12;
  const [h1, h2] = [Math.tanh(a1), Math.tanh(a2)];
  const z = n.v1 * h1 + n.v2 * h2 + n.b2;
  const p = 1 / (1 + Math.exp(-z));
  return { ...n, a1, a2, h1, h2, z, p, loss: target ? -Math.log(p) : -Math.log(1 - p) };
}

/** The loss's derivative by every value: the same as backward() in tiny_network.py. */
function backward(f, target) {
  const z = f.p - target;
  const [h1, h2] = [z * f.v1, z * f.v2];
  const [a1, a2] = [h1 * (1 - f.h1 ** 2), h2 * (1 - f.h2 ** 2)];
  return {
    ...{ z, b2: z, v1: z * f.h1, v2: z * f.h2, h1, h2, a1, a2, b11: a1, b12: a2 },
    ...{ w11: a1 * f.x1, w12: a1 * f.x2, w21: a2 * f.x1, w22: a2 * f.x2 },
    ...{ x1: a1 * f.w11 + a2 * f.w21, x2: a1 * f.w12 + a2 * f.w22 },
  };
}

// ---- the steps: which numbers appear, and the sum that makes them -------------------------------------

const three = (v) => minus((Math.abs(v) < 0.0005 ? 0 : v).toFixed(3));
const inSum = (v) => (v < 0 ? `(${three(v)})` : three(v));

/** Each step names the values or derivatives (d.…) that it adds, and tells how in words and numbers. */
const STAGES = [
  { adds: ["x1", "x2"], tell: () => "The inputs and the weights are given. Press “Step” and follow the numbers to the right." },
  {
    adds: ["a1", "a2"],
    tell: (f) =>
      `Each hidden unit adds up what arrives: a₁ = w₁₁x₁ + w₁₂x₂ + b₁,₁ = ${three(f.w11)} · ${inSum(f.x1)} + ${inSum(f.w12)} · ${inSum(f.x2)} + ${inSum(f.b11)} = ${three(f.a1)}. a₂ likewise: ${three(f.a2)}.`,
  },
  { adds: ["h1", "h2"], tell: (f) => `The activation bends it: h₁ = tanh a₁ = tanh ${inSum(f.a1)} = ${three(f.h1)}, and h₂ = ${three(f.h2)}.` },
  {
    adds: ["z"],
    tell: (f) => `The output adds up: z = v₁h₁ + v₂h₂ + b₂ = ${three(f.v1)} · ${inSum(f.h1)} + ${inSum(f.v2)} · ${inSum(f.h2)} + ${inSum(f.b2)} = ${three(f.z)}.`,
  },
  {
    adds: ["p", "loss"],
    tell: (f, d, y) => `As a probability, p = 1 / (1 + e⁻ᶻ) = ${three(f.p)}. The target is ${y}, so the loss is −log ${y ? "p" : "(1 − p)"} = ${three(f.loss)}. Now the way back.`,
  },
  {
    adds: ["d.z", "d.b2"],
    tell: (f, d, y) =>
      `The slope of −log ${y ? "p is −1/p" : "(1 − p) is 1/(1 − p)"} = ${three(y ? -1 / f.p : 1 / (1 - f.p))}, the slope of p is p(1 − p) = ${three(f.p * (1 - f.p))}. Their product is δ₂ = ∂L/∂z = p − y = ${three(f.p)} − ${y} = ${three(d.z)}. The bias b₂ is added to z, so it has the same derivative.`,
  },
  {
    adds: ["d.v1", "d.v2"],
    tell: (f, d) => `v₁ reaches z multiplied by h₁: ∂L/∂v₁ = δ₂ · h₁ = ${three(d.z)} · ${inSum(f.h1)} = ${three(d.v1)}. And ∂L/∂v₂ = ${three(d.v2)}.`,
  },
  {
    adds: ["d.h1", "d.h2"],
    tell: (f, d) => `h₁ reaches z multiplied by v₁: ∂L/∂h₁ = δ₂ · v₁ = ${three(d.z)} · ${inSum(f.v1)} = ${three(d.h1)}. And ∂L/∂h₂ = ${three(d.h2)}.`,
  },
  {
    adds: ["d.a1", "d.a2", "d.b11", "d.b12"],
    tell: (f, d) =>
      `Back through tanh, whose slope is 1 − h²: δ₁,₁ = ∂L/∂a₁ = ∂L/∂h₁ · (1 − h₁²) = ${three(d.h1)} · ${three(1 - f.h1 ** 2)} = ${three(d.a1)}. And δ₁,₂ = ${three(d.a2)}. The biases have the same.`,
  },
  {
    adds: ["d.w11", "d.w12", "d.w21", "d.w22"],
    tell: (f, d) => `w₁₁ carries x₁ into a₁: ∂L/∂w₁₁ = δ₁,₁ · x₁ = ${three(d.a1)} · ${inSum(f.x1)} = ${three(d.w11)}. The other three likewise: what comes in, times the δ of the unit.`,
  },
  {
    adds: ["d.x1", "d.x2"],
    tell: (f, d) =>
      `x₁ reaches the loss on two paths, through h₁ and through h₂, and the paths add up: ∂L/∂x₁ = δ₁,₁w₁₁ + δ₁,₂w₂₁ = ${three(d.a1 * f.w11)} + ${inSum(d.a2 * f.w21)} = ${three(d.x1)}. In a deeper network, the layer below would go on from here.`,
  },
];
const LAST = STAGES.length - 1;
const FORWARD = 4; // the last step of the forward pass

// ---- the quiz: what is asked, and which slip makes which wrong number ---------------------------------

/** Each question: whose derivative, its name, what to multiply, and wrong values with what they lack. */
const QUIZ = [
  {
    key: "z",
    name: "δ₂ = ∂L/∂z",
    hint: "It is a difference of two numbers that you know: the answer given, and the right one.",
    slips: (f, d, y) => [[f.p - 1 + y, `That is the value for the other answer: here y is ${y}.`], [f.p * (1 - f.p), "That is the slope of p alone. Multiply it by the slope of the loss."]],
  },
  {
    key: "v2",
    name: "∂L/∂v₂",
    hint: "What comes in on the left, times what comes back on the right.",
    slips: (f, d) => [
      [d.z, "A factor is missing: what comes in through this connection, h₂."],
      [f.h2, "A factor is missing: what comes back, δ₂."],
      [d.z * f.v2, "That is ∂L/∂h₂. The weight's own derivative takes what comes in, h₂, in the place of v₂."],
      [d.z * f.h1, "That is ∂L/∂v₁: through this connection comes h₂."],
    ],
  },
  {
    key: "a2",
    name: "δ₁,₂ = ∂L/∂a₂",
    hint: "Three factors: what comes back, the weight on the way, the slope of the bend.",
    slips: (f, d) => [
      [d.z * f.v2, "The slope is missing: between a₂ and h₂ stands the bend, whose slope is 1 − h₂²."],
      [d.z * (1 - f.h2 ** 2), "The weight is missing: from z to h₂ the way leads through v₂."],
      [f.v2 * (1 - f.h2 ** 2), "What comes back is missing: δ₂."],
      [d.z * f.v2 * (1 - f.h2), "The slope of tanh is one minus the square of h₂."],
      [d.a1, "That is δ₁,₁, of the other unit."],
    ],
  },
  {
    key: "w12",
    name: "∂L/∂w₁₂",
    hint: "It leads from x₂ into unit 1. First you need δ₁,₁; then what comes in, times what comes back.",
    slips: (f, d) => [
      [d.a1, "What comes in through this connection is missing: x₂."],
      [d.h1 * f.x2, "The slope is missing: δ₁,₁ has a factor 1 − h₁²."],
      [d.a2 * f.x2, "That belongs to w₂₂. The first index says where a connection goes: w₁₂ goes into unit 1."],
      [d.a1 * f.w12, "You took the weight itself. Its derivative takes what comes in, x₂."],
    ],
  },
  {
    key: "x1",
    name: "∂L/∂x₁",
    hint: "x₁ has two paths to the loss. Each gives a δ times a weight.",
    slips: (f, d) => [
      [d.a1 * f.w11, "That is one path, through h₁. Add the other one, through h₂."],
      [d.a2 * f.w21, "That is one path, through h₂. Add the other one, through h₁."],
      [d.a1 + d.a2, "The weights are missing: each δ passes through a weight on its way to x₁."],
      [d.a1 * f.w11 - d.a2 * f.w21, "The paths add up. Mind the signs that they have."],
      [d.h1 * f.w11 + d.h2 * f.w21, "The slopes are missing: go on from δ₁,₁ and δ₁,₂."],
    ],
  },
];
const NEAR = 0.006; // so that two decimals are enough

/** What is to be said of an answer: { right, words }; none is neither. */
function judged({ key, hint, slips }, text, f, d, target) {
  if (!text.trim()) return { right: false, words: "" };
  const value = Number(text.trim().replace(/[−–]/, "-").replace(",", "."));
  if (Number.isNaN(value)) return { right: false, words: "Write a number, such as −0.25." };
  const near = (other) => Math.abs(value - other) < NEAR;
  if (near(d[key])) return { right: true, words: `Right: ${three(d[key])}.` };
  if (value && value === Number(d[key].toFixed(1))) return { right: false, words: "That may well be it. Give two decimals." };
  if (near(-d[key])) return { right: false, words: "The size is right, the sign is not." };
  const slip = slips(f, d, target).find(([other]) => near(other)) ?? slips(f, d, target).find(([other]) => near(-other));
  return { right: false, words: slip ? slip[1] : `Not yet. ${hint}` };
}

// ---- the drawing ----------------------------------------------------------------------------------------

const [WIDE, TALL] = [384, 300];
const NODES = { x1: [39, 86], x2: [39, 222], h1: [184, 86], h2: [184, 222], p: [325, 152] };
const RADIUS = 38;
const SUBSCRIPT = { 1: "₁", 2: "₂" };
const DELTAS = { a1: "δ11", a2: "δ12", z: "δ2" }; // the derivatives by a layer's sums
/** A number's name as it is written: w₁₁, v₂, and of the biases b₁,₂ (layer 1, unit 2) and b₂ (layer 2). */
export const nameOf = (key) => key.replace(/^[bδ]1(?=\d)/, (layer) => `${layer},`).replace(/\d/g, (digit) => SUBSCRIPT[digit]);

/** Connections: their weight's name, from where to where, and how far along the line its numbers stand. */
const EDGES = [
  ["w11", "x1", "h1", 0.5],
  ["w12", "x2", "h1", 0.24],
  ["w21", "x1", "h2", 0.24],
  ["w22", "x2", "h2", 0.5],
  ["v1", "h1", "p", 0.5],
  ["v2", "h2", "p", 0.5],
];

/** The connections by which a change of a value reaches the loss. */
function pathsOf(name) {
  const unit = (j) => [`v${j}`];
  if (name[0] === "x") return [`w1${name[1]}`, `w2${name[1]}`, "v1", "v2"];
  if (name[0] === "w") return [name, ...unit(name[1])];
  if (/^b1\d/.test(name)) return unit(name[2]);
  return name === "b2" || !name ? [] : [name];
}

/** A circle with a sum and its derivative, what comes of it and its bias where no connection passes. */
function draftNode(key) {
  const [x, y] = NODES[key];
  const text = (dy, ...parts) => svg("text", { class: "tn-number", x, y: y + dy, "text-anchor": "middle" }, ...parts);
  const pair = (dy) => {
    const [value, derivative] = [svg("tspan", {}), svg("tspan", { class: "tn-derivative", dx: 5 })];
    return { element: text(dy, value, derivative), value, derivative };
  };
  const circle = svg("circle", { class: "tn-node", cx: x, cy: y, r: RADIUS });
  const [sum, slope] = [text(-1), svg("text", { class: "tn-derivative", x, y: y + 15, "text-anchor": "middle" })];
  const lower = key === "h2";
  const above = pair(lower ? RADIUS + 16 : -RADIUS - 6);
  const bias = pair(lower ? RADIUS + 32 : -RADIUS - 22);
  const below = text(RADIUS + 16);
  return { element: svg("g", {}, circle, sum, slope, above.element, bias.element, below), circle, sum, slope, above, bias, below };
}

function draftEdge([name, from, to, share]) {
  const [[x1, y1], [x2, y2]] = [NODES[from], NODES[to]];
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [ax, ay, bx, by] = [x1 + RADIUS * ux, y1 + RADIUS * uy, x2 - RADIUS * ux, y2 - RADIUS * uy];
  const [x, y] = [ax + share * (bx - ax), ay + share * (by - ay)];
  const line = svg("line", { class: "tn-edge", x1: ax, y1: ay, x2: bx, y2: by });
  const weight = svg("text", { class: "tn-number", x, y: y - 3, "text-anchor": "middle" });
  const derivative = svg("text", { class: "tn-derivative", x, y: y + 11, "text-anchor": "middle" });
  return { element: svg("g", {}, line, weight, derivative), name, line, weight, derivative };
}

/** A field for one answer, judged when Enter is pressed or the field is left. */
function draftQuestion({ name }, onAnswer) {
  const [id, about] = [freshId(), freshId()];
  const input = h("input", { type: "text", id, class: "tn-answer", autocomplete: "off", "aria-describedby": about });
  input.addEventListener("change", () => onAnswer(input.value));
  const words = h("span", { id: about, class: "tn-words" });
  return {
    element: h("div", { class: "tn-question" }, h("label", { for: id }, name), input, words),
    show(text, verdict) {
      input.value = text;
      input.classList.toggle("tn-right", verdict.right);
      words.textContent = verdict.words;
    },
  };
}

// ---- the widget -------------------------------------------------------------------------------------------

const RATE = 0.5; // of a step downhill
const PARAMETERS = ["w11", "w12", "w21", "w22", "b11", "b12", "v1", "v2", "b2"];

function render({ model, el }) {
  const given = model.get("_values");
  const target = model.get("_target");
  const quiz = model.get("_quiz");
  const step = inStep(model, ["stage", "chosen", "nudge", "answers"]);
  const { state } = step;
  let values = { ...given }; // after some steps downhill
  let trail = []; // p and loss before each of them
  let latest = 0; // the question answered last

  const nodes = Object.fromEntries(Object.keys(NODES).map((key) => [key, draftNode(key)]));
  const edges = EDGES.map(draftEdge);
  const drawing = svg(
    "svg",
    { class: "tn-drawing", viewBox: `0 0 ${WIDE} ${TALL}`, role: "img" },
    ...edges.map((edge) => edge.element),
    ...Object.values(nodes).map((node) => node.element),
  );
  const story = h("p", { class: "tn-story" });
  const where = h("span", { class: "cw-value" });
  const goTo = (stage) => step.commit({ stage: clamp(stage, 0, LAST) });
  const back = button("Step back", () => goTo(state.stage - 1));
  const on = button("Step", () => goTo(state.stage + 1));
  const end = button("All steps", () => goTo(state.stage === LAST ? 0 : LAST));
  const menu = selectField({
    name: "Nudge one number",
    options: [["", "none"], ...Object.keys(given).map((key) => [key, nameOf(key)])],
    onChange: (chosen) => step.commit({ chosen, nudge: chosen ? state.nudge || 0.1 : 0, stage: LAST }),
  });
  const slider = rangeField({
    name: "by",
    min: -0.5,
    max: 0.5,
    step: 0.01,
    text: (v) => minus(v.toFixed(2)),
    onInput: (nudge) => step.change({ nudge }),
    onChange: (nudge) => step.commit({ nudge }),
  });
  const verdict = h("p", { class: "tn-verdict" });
  const downhill = button("Move all weights downhill", descend);
  const again = button("Start again", () => {
    [values, trail] = [{ ...given }, []];
    step.commit({ chosen: "", nudge: 0 });
  });
  const course = h("p", { class: "tn-course" });
  const questions = QUIZ.map((question, k) => draftQuestion(question, (text) => answer(k, text)));
  const score = h("span", { class: "cw-value" });
  const reveal = button("Show the next answer", () => {
    const k = questions.findIndex((_, i) => !verdictOn(i).right);
    answer(k, three(now().d[QUIZ[k].key]));
  });
  const asking = [
    h("p", { class: "tn-story" }, `Forward is done, and the right answer is ${target ? "yes" : "no"}: y = ${target}. Work out the derivatives at the question marks, and press Enter after each. Two decimals are enough.`),
    h("div", { class: "tn-questions" }, ...questions.map(({ element }) => element)),
    h("div", { class: "tn-buttons" }, reveal, button("Clear", () => step.commit({ answers: QUIZ.map(() => "") })), score),
  ];
  const telling = [
    h("div", { class: "tn-buttons" }, back, on, end, where),
    story,
    h("div", { class: "tn-nudge" }, menu.element, slider.element),
    verdict,
    h("div", { class: "tn-buttons" }, downhill, again),
    course,
  ];
  const root = h(
    "div",
    { class: "cw tn", role: "group", "aria-label": quiz ? "Find five derivatives" : "A network of six weights, step by step" },
    drawing,
    ...(quiz ? asking : telling),
    h("p", { class: "cw-note" }, "In every circle and on every connection: the value, and in orange the derivative of the loss by it."),
  );

  /** The values as they are drawn, with the nudge, and the derivatives. */
  function now() {
    const moved = { ...values };
    if (state.chosen) moved[state.chosen] += state.nudge;
    const f = forward(moved, target);
    return { f, d: backward(f, target) };
  }

  /** One step of gradient descent: every weight and bias against its derivative. */
  function descend() {
    const f = forward(values, target);
    const d = backward(f, target);
    trail.push(f);
    values = { ...values };
    for (const name of PARAMETERS) values[name] -= RATE * d[name];
    step.commit({ chosen: "", nudge: 0, stage: LAST });
  }

  function verdictOn(k) {
    const { f, d } = now();
    return judged(QUIZ[k], state.answers[k], f, d, target);
  }

  function answer(k, text) {
    latest = k;
    step.commit({ answers: state.answers.map((old, i) => (i === k ? text : old)) });
  }

  function words() {
    if (!state.chosen) return "Choose a number, move it, and compare how far the loss moves with what its derivative predicts.";
    const before = forward(values, target);
    const slope = backward(before, target)[state.chosen];
    const four = (v) => minus(v.toFixed(4));
    const actual = now().f.loss - before.loss;
    return (
      `Predicted, from the derivative before the nudge: ${three(slope)} · ${inSum(state.nudge)} = ${four(slope * state.nudge)}. ` +
      `Actual: the loss moves by ${four(actual)}. ` +
      (Math.abs(state.nudge) > 0.25 ? "The nudge is large: a derivative is a promise for small ones." : "The smaller the nudge, the better they agree.")
    );
  }

  function progress(f) {
    if (!trail.length) return `Every weight and bias moves by −${RATE} times its derivative.`;
    const [first] = trail;
    return `After ${trail.length} ${trail.length > 1 ? "steps" : "step"}: p from ${three(first.p)} to ${three(f.p)}, loss from ${three(first.loss)} to ${three(f.loss)}.`;
  }

  /** The answers and what is to be said of them; `known` gains the derivatives that were found. */
  function showAnswers(known) {
    const verdicts = QUIZ.map((_, k) => verdictOn(k));
    verdicts.forEach((found, k) => {
      questions[k].show(state.answers[k], found);
      if (found.right) known.add(`d.${QUIZ[k].key}`);
    });
    const count = verdicts.filter(({ right }) => right).length;
    score.textContent = `${count} of ${QUIZ.length} found`;
    reveal.disabled = count === QUIZ.length;
  }

  function draw() {
    const { f, d } = now();
    const stage = quiz ? FORWARD : state.stage;
    const known = new Set(STAGES.slice(0, stage + 1).flatMap(({ adds }) => adds));
    const asked = new Set(quiz ? QUIZ.map(({ key }) => `d.${key}`) : []);
    const fresh = new Set(quiz ? asked : STAGES[stage].adds);
    if (quiz) showAnswers(known);
    const paths = new Set(pathsOf(state.chosen));
    const fill = (text, key, value, name = "") => {
      const written = known.has(key) ? three(value) : asked.has(key) ? "?" : "";
      text.textContent = written && name ? `${nameOf(name)} ${written}` : written;
      text.classList.toggle("tn-fresh", fresh.has(key));
    };
    const both = ({ value, derivative }, name) => {
      fill(value, name, f[name], name);
      fill(derivative, `d.${name}`, d[name]);
    };
    for (const edge of edges) {
      edge.weight.textContent = `${nameOf(edge.name)} ${three(f[edge.name])}`;
      fill(edge.derivative, `d.${edge.name}`, d[edge.name]);
      edge.line.classList.toggle("tn-path", paths.has(edge.name));
      edge.line.classList.toggle("tn-chosen", edge.name === state.chosen);
    }
    for (const [key, sum, above, bias] of [["x1", "x1"], ["x2", "x2"], ["h1", "a1", "h1", "b11"], ["h2", "a2", "h2", "b12"], ["p", "z", "p", "b2"]]) {
      const node = nodes[key];
      fill(node.sum, sum, f[sum], sum);
      fill(node.slope, `d.${sum}`, d[sum], DELTAS[sum]);
      node.circle.classList.toggle("tn-chosen", key === state.chosen);
      if (!above) continue;
      both(node.above, above);
      node.bias.value.textContent = `${nameOf(bias)} ${three(f[bias])}`;
      fill(node.bias.derivative, `d.${bias}`, d[bias]);
    }
    fill(nodes.p.below, "loss", f.loss, "loss");

    story.textContent = STAGES[state.stage].tell(f, d, target);
    where.textContent = `${state.stage === 0 ? "start" : state.stage <= FORWARD ? "forward" : "backward"}, ${state.stage} of ${LAST}`;
    back.disabled = state.stage === 0;
    on.disabled = state.stage === LAST;
    end.textContent = state.stage === LAST ? "From the start" : "All steps";
    menu.show(state.chosen);
    slider.show(state.nudge);
    slider.input.disabled = !state.chosen;
    verdict.textContent = words();
    again.disabled = !trail.length;
    course.textContent = progress(forward(values, target));
    const place = quiz ? score.textContent : `step ${state.stage} of ${LAST}`;
    drawing.setAttribute("aria-label", `Target ${target}, p ${three(f.p)}, loss ${three(f.loss)}; ${place}`);
  }

  root.tinyNetwork = { now }; // for tests and for the curious
  return step.mount({
    el,
    root,
    draw,
    sentence() {
      if (quiz) return `${QUIZ[latest].name}: ${verdictOn(latest).words || "no answer."} ${score.textContent}.`;
      if (state.chosen) return words();
      const { f, d } = now();
      return trail.length ? progress(f) : STAGES[state.stage].tell(f, d, target);
    },
  });
}

export default { render };
