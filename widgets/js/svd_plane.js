// svd_plane.js - a matrix of the plane rotates, stretches and rotates; what one term keeps of which inputs.

import { corners } from "./lib/chart.js";
import { h, setAll, svg, title } from "./lib/dom.js";
import { rangeField } from "./lib/fields.js";
import { clamp, minus, percent, signed } from "./lib/numbers.js";
import { presetRow } from "./lib/presets.js";
import { inStep } from "./lib/step.js";

const LIMIT = 2; // of an entry
const UNIT = 42; // pixels of the drawing
const HALF = 130; // of its width

const ENTRIES = ["Row 1, column 1", "Row 1, column 2", "Row 2, column 1", "Row 2, column 2"];
const HAND = [1.9, 1.3, 0.8, 1.6];
const PRESETS = [
  { name: "By hand", state: { matrix: HAND, angle: -45, width: 1 }, why: "The matrix of the text; inputs of every direction." },
  { name: "Nearly rank 1", state: { matrix: [1.6, 1.7, 1.2, 1.1], angle: -45, width: 1 }, why: "The columns are almost multiples of each other: one term is enough." },
  { name: "A rotation", state: { matrix: [0.6, -0.8, 0.8, 0.6], angle: -45, width: 1 }, why: "Nothing is stretched more than anything else: one term loses half." },
  { name: "Inputs the matrix hardly stretches", state: { matrix: HAND, angle: -45, width: 0.1 }, why: "The plain SVD keeps the direction that these inputs do not use." },
  { name: "Inputs the matrix stretches most", state: { matrix: HAND, angle: 45, width: 0.1 }, why: "What is large in the matrix is large in the outputs, too." },
];

// ---- the mathematics: W = R(left) diag(s1, s2) R(right), s1 >= |s2|; s2 < 0 is a mirror -----------------

function decompose([a, b, c, d]) {
  const sum = Math.atan2(c - b, a + d);
  const difference = Math.atan2(c + b, a - d);
  const half = Math.hypot((a + d) / 2, (c - b) / 2);
  const other = Math.hypot((a - d) / 2, (c + b) / 2);
  return { s1: half + other, s2: half - other, left: (sum + difference) / 2, right: (sum - difference) / 2 };
}

const turned = ([x, y], angle) => [x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)];

/** What an input has become after `stage` of the three steps. */
function moved(point, { s1, s2, left, right }, stage) {
  const [first, second, third] = [0, 1, 2].map((k) => clamp(stage - k, 0, 1));
  const [x, y] = turned(point, first * right);
  return turned([x * (1 + second * (s1 - 1)), y * (1 + second * (s2 - 1))], third * left);
}

/** Covariance of the inputs, [xx, xy, yy], in units of a quarter. */
function spread(angle, width) {
  const [x, y] = turned([1, 0], angle);
  const low = width * width;
  return [low + (1 - low) * x * x, (1 - low) * x * y, low + (1 - low) * y * y];
}

/** M S M^T of a matrix and a covariance: [xx, xy, yy]. */
function through([a, b, c, d], [xx, xy, yy]) {
  const form = (p, q, r, s) => p * (r * xx + s * xy) + q * (r * xy + s * yy);
  return [form(a, b, a, b), form(a, b, c, d), form(c, d, c, d)];
}

function measure({ matrix, angle, width }) {
  const parts = decompose(matrix);
  const [u, v] = [turned([1, 0], parts.left), turned([1, 0], -parts.right)];
  const rankOne = [u[0] * v[0], u[0] * v[1], u[1] * v[0], u[1] * v[1]].map((value) => parts.s1 * value);
  const inputs = spread((angle * Math.PI) / 180, width);
  const [xx, xy, yy] = through(matrix, inputs);
  const lost = through(matrix.map((value, k) => value - rankOne[k]), inputs);
  const least = (xx + yy) / 2 - Math.hypot((xx - yy) / 2, xy);
  const kept = (missing) => (xx + yy > 1e-12 ? 1 - missing / (xx + yy) : 1);
  return { ...parts, rankOne, axis: Math.atan2(2 * xy, xx - yy) / 2, plain: kept(lost[0] + lost[2]), outputs: kept(least) };
}

// ---- one drawing: a plane with the inputs, or with what has become of them ------------------------------

const at = ([x, y]) => [x * UNIT, -y * UNIT];

function plane(label) {
  const shape = svg("polygon", { class: "sv-shape" });
  const lines = ["sv-plain", "sv-outputs"].map((name) => svg("line", { class: name }));
  const dots = svg("g");
  const arrows = ["sv-first", "sv-second"].map((name) => svg("line", { class: `sv-arrow ${name}` }));
  const heads = ["sv-first", "sv-second"].map((name) => svg("circle", { class: `sv-head ${name}`, r: 5 }));
  const names = arrows.map(() => svg("text", { class: "sv-name" }));
  const element = svg(
    "svg",
    { class: "cw-chart", viewBox: `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`, role: "img" },
    svg("line", { class: "cw-grid", x1: -HALF, y1: 0, x2: HALF, y2: 0 }),
    svg("line", { class: "cw-grid", x1: 0, y1: -HALF, x2: 0, y2: HALF }),
    ...lines,
    shape,
    dots,
    ...arrows,
    ...heads,
    ...names,
  );
  const line = (mark, tip, from = [0, 0]) => {
    const [[x1, y1], [x2, y2]] = [at(from), at(tip)];
    setAll(mark, { x1, y1, x2, y2 });
  };
  return {
    element,
    show({ outline, points, tips, texts, axes, spoken }) {
      setAll(shape, { points: corners(outline.map(at)) });
      while (dots.childElementCount < points.length) dots.append(svg("circle", { class: "sv-dot", r: 1.8 }));
      points.forEach((point, k) => {
        const [cx, cy] = at(point);
        setAll(dots.children[k], { cx, cy });
      });
      tips.forEach((tip, k) => {
        line(arrows[k], tip);
        const [cx, cy] = at(tip);
        setAll(heads[k], { cx, cy });
        const away = 14 / (Math.hypot(cx, cy) || 1);
        setAll(names[k], { x: clamp(cx * (1 + away), 24 - HALF, HALF - 24), y: clamp(cy * (1 + away) + 5, 16 - HALF, HALF - 6) });
        names[k].textContent = texts[k];
      });
      lines.forEach((mark, k) => {
        const axis = axes[k];
        mark.setAttribute("visibility", axis === undefined ? "hidden" : "visible");
        if (axis !== undefined) line(mark, turned([4, 0], axis), turned([-4, 0], axis));
      });
      element.setAttribute("aria-label", `${label}: ${spoken}`);
    },
  };
}

// ---- the widget -------------------------------------------------------------------------------------------

function render({ model, el }) {
  const points = model.get("_points");
  const circle = Array.from({ length: 72 }, (_, k) => turned([1, 0], (k * Math.PI) / 36));
  const step = inStep(model, ["matrix", "stage", "angle", "width"]);
  const { state } = step;

  const slider = (options, values) =>
    rangeField({ ...options, onInput: (v) => step.move(values(v)), onChange: (v) => step.commit(values(v)) });
  const entries = ENTRIES.map((name, k) =>
    slider({ name, min: -LIMIT, max: LIMIT, step: 0.01, keyStep: 0.1, text: signed }, (v) => ({
      matrix: state.matrix.map((old, j) => (j === k ? Number(v.toFixed(2)) : old)),
    })),
  );
  const stage = slider(
    { name: "Steps of the matrix", min: 0, max: 3, step: 0.05, keyStep: 0.25, text: (v) => v.toFixed(2), ends: ["x", "rotated", "stretched", "rotated: Wx"] },
    (v) => ({ stage: v }),
  );
  const angle = slider({ name: "Direction of the inputs", min: -90, max: 90, step: 1, text: (v) => `${minus(v)}°` }, (v) => ({ angle: v }));
  const width = slider({ name: "Width across it", min: 0.05, max: 1, step: 0.05, text: (v) => v.toFixed(2) }, (v) => ({ width: v }));
  const chosen = (preset) => Object.entries(preset.state).every(([name, value]) => String(value) === String(state[name]));
  const choose = (preset) => step.commit({ stage: 3, ...preset.state, matrix: [...preset.state.matrix] });
  const cases = presetRow(PRESETS, choose, { none: "A matrix of your own." });
  const inputs = plane("Inputs");
  const outputs = plane("Outputs");
  const handles = [0, 1].map((column) => {
    const handle = svg("circle", { class: "sv-handle", r: 11 });
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = outputs.element.getBoundingClientRect();
      const place = (share) => Number(clamp(((share - 0.5) * 2 * HALF) / UNIT, -LIMIT, LIMIT).toFixed(2));
      const matrix = [...state.matrix];
      matrix[column] = place((event.clientX - box.left) / box.width);
      matrix[2 + column] = place(1 - (event.clientY - box.top) / box.height);
      step.move({ matrix });
    });
    for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, step.rest);
    return handle;
  });
  outputs.element.append(...handles);
  const values = h("dd");
  const plain = h("dd");
  const byOutputs = h("dd");
  const figure = (term, description, mark) => h("div", {}, h("dt", {}, h("span", { class: `sv-key ${mark}` }), term), description);
  const story = h("p", { class: "sv-story" });
  const root = h(
    "div",
    { class: "cw sv", role: "group", "aria-label": "The SVD in the plane" },
    cases.element,
    stage.element,
    h("div", { class: "sv-planes" }, h("div", {}, title("Inputs x"), inputs.element), h("div", {}, title("What the matrix makes of them"), outputs.element)),
    story,
    h(
      "dl",
      { class: "sv-figures" },
      figure("Singular values σ₁, σ₂", values, "sv-key-none"),
      figure("One term keeps, plain", plain, "sv-key-plain"),
      figure("One term keeps, by outputs", byOutputs, "sv-key-outputs"),
    ),
    h("div", { class: "sv-fields" }, ...entries.map((e) => e.element), angle.element, width.element),
    h("p", { class: "cw-note" }, "Drag a ring to move a column of the matrix, or use the sliders. All that a matrix of rank 1 can reach is one line through the origin: dashed for the plain SVD, dotted by outputs. A share is of the outputs’ mean square."),
  );

  const degrees = (radians) => `${minus(((radians * 180) / Math.PI).toFixed(0))}°`;

  function sentence() {
    const { s1, s2, left, right, rankOne, plain: one, outputs: other } = measure(state);
    const size = Math.abs(s2).toFixed(2);
    if (state.stage === 0) return "The inputs as they come, with the two directions that the matrix will keep at right angles.";
    if (state.stage <= 1) return `First a rotation by ${degrees(right)}: v₁ turns to the right, v₂ upwards${s2 < 0 ? " or downwards" : ""}.`;
    if (state.stage <= 2) return `Then the axes are stretched, ${s1.toFixed(2)} times and ${size} times${s2 < 0 ? ", and the second is flipped" : ""}: the circle becomes an ellipse.`;
    if (state.stage < 3) return `Last, a rotation by ${degrees(left)}: the ellipse turns into its place.`;
    const [a, b, c, d] = rankOne.map(signed);
    return `The largest term alone is the matrix with rows (${a}, ${b}) and (${c}, ${d}). It keeps ${percent(one, 1)} of the outputs of these inputs; the best line for their outputs keeps ${percent(other, 1)}.`;
  }

  function draw() {
    const found = measure(state);
    const ended = state.stage === 3;
    entries.forEach((entry, k) => entry.show(state.matrix[k]));
    stage.show(state.stage);
    angle.show(state.angle);
    width.show(state.width);
    cases.show(PRESETS.find(chosen));
    const radians = (state.angle * Math.PI) / 180;
    const cloud = points.map(([x, y]) => turned([x, y * state.width], radians));
    const right = [turned([1, 0], -found.right), turned([0, 1], -found.right)];
    const share = (p) => moved(p, found, state.stage);
    inputs.show({ outline: circle, points: cloud, tips: right, texts: ["v₁", "v₂"], axes: [], spoken: `a circle filled with points along ${degrees(radians)}` });
    outputs.show({
      outline: circle.map(share),
      points: cloud.map(share),
      tips: right.map(share),
      texts: ended ? ["σ₁u₁", "σ₂u₂"] : ["", ""],
      axes: ended ? [found.left, found.axis] : [],
      spoken: `an ellipse with half axes ${found.s1.toFixed(2)} and ${Math.abs(found.s2).toFixed(2)}`,
    });
    handles.forEach((handle, k) => {
      const [cx, cy] = at([state.matrix[k], state.matrix[2 + k]]);
      setAll(handle, { cx, cy, visibility: ended ? "visible" : "hidden" });
    });
    values.textContent = `${found.s1.toFixed(2)}, ${Math.abs(found.s2).toFixed(2)}`;
    plain.textContent = percent(found.plain, 1);
    byOutputs.textContent = percent(found.outputs, 1);
    story.textContent = sentence();
  }

  root.svdPlane = { numbers: () => measure(state) }; // for tests and for the curious
  return step.mount({ el, root, draw, sentence });
}

export default { render };
