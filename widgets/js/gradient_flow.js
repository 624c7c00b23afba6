// gradient_flow.js - a deep net with fresh weights: digits forward, their loss backward, layer by layer.

import { chart, corners } from "./lib/chart.js";
import { checkField, rangeField } from "./lib/fields.js";
import { between, clamp, figure, minus, percent, powerOfTen, rms } from "./lib/numbers.js";
import { INK, LOWERS, PIXELS, RAISES, mix, unpackGrey } from "./lib/pictures.js";
import { button, freshId, h, paint, svg, title } from "./lib/dom.js";
import { presetRow } from "./lib/presets.js";
import { inStep } from "./lib/step.js";

// As in gradient_flow.py, whose `flow` computes the same.
const WIDTH = 64;
const DEEPEST = 40;
const CLASSES = 10;
const BINS = 32;
const EPSILON = 1e-5;
const LOWEST = 0.3; // gain
const HIGHEST = 12;
const SETTINGS = ["depth", "activation", "gain", "batch_norm", "residual"];

const ACTIVATIONS = {
  tanh: {
    label: "tanh",
    of: Math.tanh,
    slope: (value) => 1 - value * value,
    range: [-1, 1],
    saturated: (value) => Math.abs(value) > 0.95,
    saturation: "beyond ±0.95, where the slope is below a tenth",
  },
  sigmoid: {
    label: "sigmoid",
    of: (a) => (1 + Math.tanh(a / 2)) / 2,
    slope: (value) => value * (1 - value),
    range: [0, 1],
    saturated: (value) => Math.abs(value - 0.5) > 0.475,
    saturation: "outside 0.025 to 0.975, where the slope is below a tenth of its largest",
  },
  relu: {
    label: "ReLU",
    of: (a) => (a > 0 ? a : 0),
    slope: (value) => (value > 0 ? 1 : 0),
    range: [0, 4],
    saturated: (value) => value === 0,
    saturation: "zero, where the slope is zero too",
  },
};

const POINTS = 320;
const NORMAL = { z: Float64Array.from({ length: POINTS }, (_, k) => (k - 159.5) / 20) };
const density = NORMAL.z.map((z) => Math.exp((-z * z) / 2));
NORMAL.share = density.map((v) => v / density.reduce((sum, d) => sum + d, 0));

// ---- arithmetic -----------------------------------------------------------------------------------

/** `count` numbers of mean 0 and variance 1: see `weights` in gradient_flow.py. */
function makeWeights(seed, count) {
  const found = new Float64Array(count);
  const offset = Math.imul(seed, 0x85ebca77);
  let counter = 0;
  const uniform = () => {
    let bits = (Math.imul(counter++, 0x9e3779b1) + offset) | 0;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  };
  for (let k = 0; k < count; k++) {
    const [a, b, c, d] = [uniform(), uniform(), uniform(), uniform()];
    found[k] = (a + b + c + d - 2) * Math.sqrt(3);
  }
  return found;
}

/** x (N, n) times the transposed matrix w (m, n): (N, m). */
function timesTransposed(x, w, n, m, scale) {
  const rows = x.length / n;
  const out = new Float64Array(rows * m);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let k = 0, a = i * n, b = j * n; k < n; k++) sum += x[a + k] * w[b + k];
      out[i * m + j] = scale * sum;
    }
  }
  return out;
}

/** d (N, m) times the matrix w (m, n): (N, n). */
function times(d, w, n, m, scale) {
  const rows = d.length / m;
  const out = new Float64Array(rows * n);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < m; j++) {
      const factor = scale * d[i * m + j];
      for (let k = 0, a = i * n, b = j * n; k < n; k++) out[a + k] += factor * w[b + k];
    }
  }
  return out;
}

/** Each column of a (N, WIDTH) to mean 0 and variance 1, in place; returns the WIDTH deviations. */
function normalise(a) {
  const rows = a.length / WIDTH;
  return Float64Array.from({ length: WIDTH }, (_, j) => {
    let mean = 0;
    for (let k = j; k < a.length; k += WIDTH) mean += a[k] / rows;
    let variance = 0;
    for (let k = j; k < a.length; k += WIDTH) variance += (a[k] - mean) ** 2 / rows;
    const deviation = Math.sqrt(variance + EPSILON);
    for (let k = j; k < a.length; k += WIDTH) a[k] = (a[k] - mean) / deviation;
    return deviation;
  });
}

/** The way back through `normalise`, in place: mean and variance depend on every row, too. */
function normaliseBack(back, normal, deviations) {
  const rows = back.length / WIDTH;
  for (let j = 0; j < WIDTH; j++) {
    let mean = 0;
    let along = 0;
    for (let k = j; k < back.length; k += WIDTH) {
      mean += back[k] / rows;
      along += (back[k] * normal[k]) / rows;
    }
    for (let k = j; k < back.length; k += WIDTH) back[k] = (back[k] - mean - normal[k] * along) / deviations[j];
  }
}

/** Forward and backward through the whole net: what `flow` in gradient_flow.py returns. */
function flow({ x, labels, weights }, { depth, activation, gain, batch_norm, residual }) {
  const { of, slope, range, saturated } = ACTIVATIONS[activation];
  const stages = [];
  let hidden = x;
  for (let layer = 0; layer < depth; layer++) {
    const n = layer === 0 ? PIXELS : WIDTH;
    const start = layer === 0 ? 0 : (PIXELS + (layer - 1) * WIDTH) * WIDTH;
    const w = weights.subarray(start, start + n * WIDTH);
    const scale = gain / Math.sqrt(n);
    const a = timesTransposed(hidden, w, n, WIDTH, scale);
    const deviations = batch_norm ? normalise(a) : null;
    const value = a.map(of);
    hidden = residual && layer > 0 ? value.map((v, k) => v + hidden[k]) : value;
    stages.push({ w, n, scale, a, deviations, value, hidden });
  }
  const top = weights.subarray(weights.length - CLASSES * WIDTH);
  const logits = timesTransposed(hidden, top, WIDTH, CLASSES, 1 / Math.sqrt(WIDTH));
  const delta = new Float64Array(logits.length);
  labels.forEach((label, i) => {
    const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
    const high = Math.max(...row);
    const e = row.map((v) => Math.exp(v - high));
    const total = e.reduce((sum, v) => sum + v, 0);
    e.forEach((v, k) => (delta[i * CLASSES + k] = (v / total - (k === label ? 1 : 0)) / labels.length));
  });
  const sizes = new Float64Array(depth); // of delta
  let d = times(delta, top, WIDTH, CLASSES, 1 / Math.sqrt(WIDTH));
  for (let layer = depth - 1; layer >= 0; layer--) {
    const { w, n, scale, a, deviations, value } = stages[layer];
    const back = d.map((v, k) => v * slope(value[k]));
    sizes[layer] = rms(back);
    if (layer === 0) break;
    if (deviations) normaliseBack(back, a, deviations);
    const below = times(back, w, n, WIDTH, scale);
    d = residual ? below.map((v, k) => v + d[k]) : below;
  }
  const [low, high] = range;
  const histogram = new Float64Array(depth * BINS);
  const activationSize = stages.map((stage) => rms(stage.hidden));
  stages.forEach((stage, layer) => {
    const unit = activation === "relu" ? activationSize[layer] || 1 : 1;
    for (const v of stage.hidden) {
      const place = Math.floor(((v / unit - low) / (high - low)) * BINS);
      histogram[layer * BINS + clamp(place, 0, BINS - 1)] += 1 / stage.hidden.length;
    }
  });
  return {
    histogram,
    activation: activationSize,
    delta: sizes,
    saturated: stages.map((stage) => stage.value.filter(saturated).length / stage.value.length),
    predicted: predict(x, depth, activation, gain),
  };
}

/** Mean-field factors of delta from each layer to the one below: `predicted` in gradient_flow.py. */
function predict(x, depth, activation, gain) {
  const { of, slope } = ACTIVATIONS[activation];
  const found = new Float64Array(depth - 1);
  let q = gain ** 2 * rms(x) ** 2;
  let before = 0;
  for (let layer = 0; layer < depth - 1; layer++) {
    if (Math.abs(q - before) < 1e-12 * q) {
      found.fill(found[layer - 1], layer); // nothing changes any more
      break;
    }
    before = q;
    let slopes = 0;
    let squares = 0;
    for (let k = 0; k < POINTS; k++) {
      const value = of(Math.sqrt(before) * NORMAL.z[k]);
      slopes += NORMAL.share[k] * slope(value) ** 2;
      squares += NORMAL.share[k] * value ** 2;
    }
    found[layer] = gain * Math.sqrt(slopes);
    q = gain ** 2 * squares;
  }
  return found;
}

const COLUMNS = 41; // of the map
const gainAt = (share) => LOWEST * (HIGHEST / LOWEST) ** share;
const shareOf = (gain) => Math.log(gain / LOWEST) / Math.log(HIGHEST / LOWEST);

/** For each gain of the map, log10 of delta's size at the first over the last layer: `reach` in Python. */
function reaches(x, activation) {
  return Array.from({ length: COLUMNS }, (_, k) => {
    let power = 0;
    return predict(x, DEEPEST, activation, gainAt(k / (COLUMNS - 1))).map((factor) => (power += Math.log10(factor)));
  });
}

// ---- the three pictures -----------------------------------------------------------------------------

const TICKS = 5;

/** Size of delta against layer, logarithmic, with the prediction as a dashed line. */
function deltaChart() {
  const grid = svg("g");
  const line = svg("polyline", { class: "gf-line" });
  const dots = svg("g", { class: "gf-dots" });
  const theory = svg("polyline", { class: "gf-theory" });
  const edge = { left: 62, right: 14, top: 12, bottom: 28 };
  const plot = chart({ wide: 640, tall: 190, edge }, grid, theory, line, dots);
  return {
    element: plot.element,
    show(delta, predicted, label) {
      const depth = delta.length;
      const guess = new Float64Array(predicted.length ? depth : 0);
      if (predicted.length) guess[depth - 1] = delta[depth - 1];
      for (let k = guess.length - 2; k >= 0; k--) guess[k] = guess[k + 1] * predicted[k];
      const shown = [...delta, ...guess].filter((v) => v > 0).map(Math.log10);
      const [least, most] = shown.length ? [Math.min(...shown), Math.max(...shown)] : [0, 0];
      const span = Math.max(3, most - least) * 1.08;
      const low = (most + least - span) / 2;
      const xOf = (k) => plot.x(k / (depth - 1));
      const yOf = (power) => plot.y((power - low) / span);
      const step = Math.max(1, Math.ceil(span / TICKS));
      const marks = [1, Math.round((1 + depth) / 2), depth].filter((layer, k, all) => all.indexOf(layer) === k);
      grid.replaceChildren(...marks.map((layer) => plot.below(xOf(layer - 1), layer === 1 ? "layer 1" : String(layer))));
      for (let power = Math.ceil(low / step) * step; power <= low + span; power += step) {
        grid.append(plot.across(yOf(power)), plot.beside(yOf(power), powerOfTen(power)));
      }
      const places = (values) => [...values].flatMap((v, k) => (v > 0 ? [[xOf(k), yOf(Math.log10(v))]] : []));
      line.setAttribute("points", corners(places(delta)));
      theory.setAttribute("points", corners(places(guess)));
      dots.replaceChildren(...places(delta).map(([cx, cy]) => svg("circle", { cx, cy, r: 3 })));
      plot.element.setAttribute("aria-label", label);
    },
  };
}

/** Histograms of the layers' outputs side by side, brighter where more of them lie. */
function histogramMap() {
  const canvas = h("canvas", { class: "gf-map", role: "img" });
  const high = h("span", { class: "gf-high" });
  const low = h("span", { class: "gf-low" });
  return {
    element: h("div", { class: "gf-frame" }, high, canvas, low),
    show(histogram, depth, activation) {
      const [from, to] = ACTIVATIONS[activation].range;
      high.textContent = activation === "relu" ? `${to} rms` : minus(to);
      low.textContent = minus(from);
      canvas.width = depth;
      canvas.height = BINS;
      paint(canvas, depth, BINS, (k) => {
        const layer = k % depth;
        const bin = BINS - 1 - Math.floor(k / depth);
        return mix(Math.min(1, 2.2 * Math.sqrt(histogram[layer * BINS + bin])), INK);
      });
      canvas.setAttribute("aria-label", `Histogram of the outputs of layers 1 to ${depth}`);
    },
  };
}

/** Depth against gain: where theory lets delta vanish (blue), arrive (white) or explode (orange). */
function phaseMap(onPick) {
  const canvas = h("canvas", { class: "gf-map", role: "img" });
  const here = h("span", { class: "gf-here" });
  const plane = h("div", { class: "gf-plane" }, canvas, here);
  let drawn = null;
  plane.addEventListener("click", (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const share = clamp((event.clientX - left) / width, 0, 1);
    const level = clamp(1 - (event.clientY - top) / height, 0, 1);
    onPick({ gain: Number(gainAt(share).toPrecision(3)), depth: Math.round(2 + level * (DEEPEST - 2)) });
  });
  const marks = [0.3, 1, 3, 10].map((gain) => {
    const mark = h("span", {}, String(gain));
    mark.style.left = `${100 * shareOf(gain)}%`;
    return mark;
  });
  return {
    element: h(
      "div",
      { class: "gf-frame gf-phases" },
      h("span", { class: "gf-high" }, String(DEEPEST)),
      plane,
      h("span", { class: "gf-low" }, "2"),
      h("div", { class: "gf-gains" }, ...marks),
    ),
    show(all, { activation, depth, gain }) {
      if (drawn !== activation) {
        drawn = activation;
        canvas.width = COLUMNS;
        canvas.height = DEEPEST - 1;
        paint(canvas, COLUMNS, DEEPEST - 1, (k) => {
          const power = all[k % COLUMNS][DEEPEST - 2 - Math.floor(k / COLUMNS)];
          return between(INK, power < 0 ? LOWERS : RAISES, clamp(Math.abs(power) / 3, 0, 1));
        });
        canvas.setAttribute("aria-label", `Map for ${ACTIVATIONS[activation].label}: blue vanishes, white arrives, orange explodes`);
      }
      here.style.left = `${100 * shareOf(gain)}%`;
      here.style.top = `${100 * (1 - (depth - 2) / (DEEPEST - 2))}%`;
    },
  };
}

// ---- the widget -----------------------------------------------------------------------------------

async function render({ model, el }) {
  const pixels = await unpackGrey(model.get("_images"));
  const net = { x: Float64Array.from(pixels, (v) => v / 255), labels: model.get("_labels"), weights: null };
  const weightCount = (PIXELS + (DEEPEST - 1) * WIDTH + CLASSES) * WIDTH;
  const step = inStep(model, [...SETTINGS, "seed"]);
  const presets = model.get("_presets");
  const { state } = step;
  let drawnSeed = null;
  let found = null; // the last flow
  const maps = {}; // of each activation that was chosen

  // -- elements
  const classes = { field: "gf-slide", output: "gf-value" };
  const depth = rangeField({
    name: "Hidden layers",
    min: 2,
    max: DEEPEST,
    step: 1,
    spoken: (v) => `${v} hidden layers`,
    onInput: (value) => step.change({ depth: value }),
    onChange: () => step.commit(),
    classes,
  });
  const gain = rangeField({
    name: "Gain: weights’ deviation × √inputs",
    min: LOWEST,
    max: HIGHEST,
    perDecade: 50,
    text: (v) => v.toPrecision(3),
    spoken: (v) => `gain ${v.toPrecision(3)}`,
    onInput: (value) => step.change({ gain: Number(value.toPrecision(3)) }),
    onChange: () => step.commit(),
    classes,
  });
  const group = freshId();
  const choices = Object.entries(ACTIVATIONS).map(([activation, { label }]) =>
    checkField({ name: label, group, value: activation, onChange: () => step.commit({ activation }) }),
  );
  const batchNorm = checkField({ name: "BatchNorm", onChange: (batch_norm) => step.commit({ batch_norm }) });
  const residual = checkField({ name: "Residual connections", onChange: (on) => step.commit({ residual: on }) });
  const again = button("New weights", () => step.commit({ seed: (state.seed + 1) % 65536 }));
  const settingsOf = (preset) => Object.fromEntries(SETTINGS.map((name) => [name, preset[name]]));
  const cases = presetRow(presets, (preset) => step.commit(settingsOf(preset)));
  const verdict = h("p", { class: "gf-verdict" });
  const curve = deltaChart();
  const key = h("p", { class: "gf-key" }, h("span", { class: "gf-solid" }), "computed now", h("span", { class: "gf-dash" }), "mean-field theory");
  const outputs = histogramMap();
  const phases = phaseMap((values) => step.commit(values));
  const phasePart = h("div", {}, title("Where you are: layers against gain. Blue: δ vanishes, white: it arrives, orange: it explodes"), phases.element);
  const note = h("p", { class: "cw-note" });
  const root = h(
    "div",
    { class: "cw gf", role: "group", "aria-label": "Gradient flow" },
    cases.element,
    h("div", { class: "gf-controls" }, depth.element, gain.element),
    h("div", { class: "gf-row", role: "radiogroup", "aria-label": "Activation" }, ...choices.map((c) => c.element)),
    h("div", { class: "gf-row" }, batchNorm.element, residual.element, again),
    verdict,
    title("Size of δ at each layer"),
    curve.element,
    key,
    phasePart,
    title("Outputs of each layer: brighter means more of them"),
    outputs.element,
    note,
  );

  // -- what is shown
  function compute() {
    if (drawnSeed !== state.seed) {
      net.weights = makeWeights(state.seed, weightCount);
      drawnSeed = state.seed;
    }
    found = flow(net, state);
    maps[state.activation] ??= reaches(net.x, state.activation);
  }

  /** How delta changed on its way from the last hidden layer to the first. */
  function summary() {
    const { delta, predicted } = found;
    const steps = state.depth - 1;
    const ratio = delta[0] / delta[steps];
    const factor = ratio ** (1 / steps);
    const guess = predicted.reduce((product, v) => product * v, 1) ** (1 / steps);
    const fate = !(ratio > 1e-3) ? "vanishes" : ratio > 1e3 ? "explodes" : "arrives";
    return { ratio, factor, guess, fate, plain: !state.batch_norm && !state.residual };
  }

  function sentence() {
    const { ratio, factor, guess, fate, plain } = summary();
    const theory = plain ? `, mean-field theory says ${figure(guess)}` : "";
    return `The gradient ${fate}: δ of the first over the last layer ${figure(ratio)}, a factor of ${figure(factor)} per layer${theory}.`;
  }

  function draw() {
    compute();
    depth.show(state.depth);
    gain.show(state.gain);
    for (const { input } of choices) input.checked = input.value === state.activation;
    batchNorm.input.checked = state.batch_norm;
    residual.input.checked = state.residual;
    const { ratio, factor, guess, fate, plain } = summary();
    verdict.replaceChildren(
      "The gradient ",
      h("b", { class: `gf-${fate}` }, fate),
      ": δ of the first over the last layer ",
      h("b", { class: "gf-ratio" }, figure(ratio)),
      ", a factor of ",
      h("b", { class: "gf-factor" }, figure(factor)),
      " per layer",
      plain ? ` (theory ${figure(guess)}).` : ".",
    );
    curve.show(found.delta, plain ? found.predicted : [], sentence());
    key.hidden = phasePart.hidden = !plain; // theory speaks of plain nets only
    phases.show(maps[state.activation], state);
    cases.show(presets.find((preset) => SETTINGS.every((name) => preset[name] === state[name])));
    outputs.show(found.histogram, state.depth, state.activation);
    note.textContent =
      `${net.labels.length} test digits, ${WIDTH} units a layer, no training. In the last hidden layer ` +
      `${percent(found.saturated[state.depth - 1])} of the activations are ${ACTIVATIONS[state.activation].saturation}; ` +
      `the layer’s outputs have a root mean square of ${figure(found.activation[state.depth - 1])}.`;
  }

  // for tests and for the curious: document.querySelector(".gf").gradientFlow.all.delta
  root.gradientFlow = {
    get all() {
      return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, [...values]]));
    },
    get map() {
      return maps[state.activation].map((values) => [...values]);
    },
  };

  return step.mount({ el, root, draw, sentence });
}

export default { render };
