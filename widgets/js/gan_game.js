// gan_game.js - a generator and a discriminator on points of the plane, trained against each other in the page.

import { button, h, paint, title } from "./lib/dom.js";
import { drawingArea } from "./lib/drawing.js";
import { checkField, rangeField, selectField } from "./lib/fields.js";
import { figure, grouped, percent } from "./lib/numbers.js";
import { LOWERS, PAPER, RAISES, mix } from "./lib/pictures.js";
import { presetRow } from "./lib/presets.js";
import { normal, uniform } from "./lib/random.js";
import { inStep } from "./lib/step.js";
import { stepChart } from "./lib/step_chart.js";
import { Adam, LeakyReLU, ReLU, denseNet, gradientPenalty, inputGradient, logisticLoss, runner, warmUp } from "./lib/train.js";

const HALF = 1.5; // the picture shows -1.5 to 1.5, both ways
const UNITS = 32; // of each of two hidden layers, in both networks
const BATCH = 64; // real and as many generated points a step
const BETAS = [0.5, 0.99]; // of Adam
const SHOWN = 250; // points of each kind in the picture
const PULLED = 60; // of them have an arrow
const REACH = 0.15; // what lies so close to a point of the other kind has hit, or covers, it
const CELLS = 40; // of the coloured ground, both ways
const ROUND = 2000; // steps that one press trains
const POINTS = 300; // of a curve; then every other one is dropped
const DRAWN_EVERY = 80; // ms from one picture of a running game to the next
const SIZE = 720; // pixels of the canvas
const [REAL, MADE] = [[176, 211, 255], [255, 205, 140]]; // the points' colours, lighter than the ground's

// ---- the data -------------------------------------------------------------------------------------------

const spread = (random, x, y, deviation) => [x + deviation * normal(random), y + deviation * normal(random)];

/** One real point [x, y] of each kind of data. */
const SOURCES = {
  ring(random) {
    const angle = (Math.floor(8 * random()) * Math.PI) / 4;
    return spread(random, Math.cos(angle), Math.sin(angle), 0.05);
  },
  moons(random) {
    const [angle, upper] = [Math.PI * random(), random() < 0.5];
    const [x, y] = upper ? [Math.cos(angle) - 0.5, Math.sin(angle) - 0.25] : [0.5 - Math.cos(angle), 0.25 - Math.sin(angle)];
    return spread(random, 0.8 * x, 0.8 * y, 0.04);
  },
  blob: (random) => spread(random, 0.6, 0.4, 0.05),
  drawn(random, points) {
    const k = 2 * Math.floor((random() * points.length) / 2);
    return spread(random, points[k], points[k + 1], 0.03);
  },
};
const DATA_NAMES = { ring: "ring of eight", moons: "two moons", blob: "one spot", drawn: "drawn by you" };

// ---- the game -------------------------------------------------------------------------------------------

const sigmoid = (v) => (1 + Math.tanh(v / 2)) / 2;

/** How steeply the generator's loss falls as a logit grows: the size of its push. */
const PUSH = {
  "non-saturating": (logit) => sigmoid(-logit), // the loss is -log sigmoid(D)
  saturating: (logit) => sigmoid(logit), // the loss is log(1 - sigmoid(D))
};

/** Both networks and their history. `settings`: data, points, steps_d, rate, ratio, r1, loss, seed. */
export class Game {
  constructor(settings) {
    this.settings = settings;
    this.random = uniform(settings.seed);
    const options = { random: this.random, gain: Math.SQRT2 };
    this.G = denseNet([2, UNITS, UNITS, 2], ReLU, options);
    this.D = denseNet([2, UNITS, UNITS, 1], LeakyReLU, options);
    this.D.layers[0].first = false; // the generator learns from the gradient by D's input
    this.steppers = { G: new Adam(this.G, BETAS), D: new Adam(this.D, BETAS) };
    this.both = new Float32Array(4 * BATCH); // real points, then generated ones
    this.targets = Float32Array.from({ length: 2 * BATCH }, (_, i) => (i < BATCH ? 1 : 0));
    this.deltaD = new Float32Array(2 * BATCH);
    this.deltaG = new Float32Array(BATCH);
    this.noise = this.normals(SHOWN); // of the points in the picture
    this.real = this.points(SHOWN);
    this.steps = 0;
    this.goal = ROUND;
    this.diverged = false;
    this.curve = []; // { step, real, fake: shares that D gets right, hits, covered }
    this.every = 10; // steps to a point of the curve
    this.sums = { real: 0, fake: 0, count: 0 };
    for (const net of [this.G, this.D]) warmUp(net);
  }

  normals(count) {
    return Float32Array.from({ length: 2 * count }, () => normal(this.random));
  }

  points(count) {
    const { data, points } = this.settings;
    const found = new Float32Array(2 * count);
    for (let k = 0; k < count; k++) found.set(SOURCES[data](this.random, points), 2 * k);
    return found;
  }

  /** One step of the discriminator: real points up, generated ones down; the generator stays. */
  stepD() {
    const { rate, ratio, r1 } = this.settings;
    this.both.set(this.points(BATCH));
    this.both.set(this.G.forward(this.normals(BATCH), BATCH).subarray(0, 2 * BATCH), 2 * BATCH);
    const logits = this.D.forward(this.both, 2 * BATCH);
    for (let k = 0; k < BATCH; k++) {
      this.sums.real += logits[k] > 0;
      this.sums.fake += logits[BATCH + k] < 0;
    }
    this.sums.count += BATCH;
    const loss = logisticLoss(logits, this.targets, BATCH, this.deltaD); // a mean over each kind
    this.D.backward(this.deltaD, 2 * BATCH);
    if (r1 > 0) gradientPenalty(this.D, this.both.subarray(0, 2 * BATCH), BATCH, r1);
    this.steppers.D.step(rate * ratio);
    this.diverged ||= !Number.isFinite(loss);
  }

  /** One step of the generator, along the gradient that passes through the discriminator, which stays. */
  stepG() {
    const { rate, loss } = this.settings;
    const logits = this.D.forward(this.G.forward(this.normals(BATCH), BATCH), BATCH);
    for (let k = 0; k < BATCH; k++) this.deltaG[k] = -PUSH[loss](logits[k]) / BATCH;
    this.G.backward(this.D.backward(this.deltaG, BATCH), BATCH);
    this.steppers.G.step(rate);
    this.steps += 1;
    if (this.steps % this.every === 0) this.note();
  }

  /** A step of the game; false where it is over. */
  step() {
    if (this.diverged || this.steps === this.goal) return false;
    for (let k = 0; k < this.settings.steps_d; k++) this.stepD();
    this.stepG();
    return !this.diverged && this.steps < this.goal;
  }

  note() {
    const { real, fake, count } = this.sums;
    if (count) this.curve.push({ step: this.steps, real: real / count, fake: fake / count, ...this.quality() });
    this.sums = { real: 0, fake: 0, count: 0 };
    if (this.curve.length > POINTS) {
      this.curve = this.curve.filter((_, i) => i % 2);
      this.every *= 2;
    }
  }

  /** The generated points of the picture, two numbers each. */
  generated() {
    return this.G.forward(this.noise, SHOWN).slice(0, 2 * SHOWN);
  }

  /** The share of generated points that hit the data, and of real points that are covered. */
  quality() {
    const made = this.generated();
    const near = (points, others) => {
      let found = 0;
      for (let i = 0; i < points.length; i += 2) {
        for (let j = 0; j < others.length; j += 2) {
          if ((points[i] - others[j]) ** 2 + (points[i + 1] - others[j + 1]) ** 2 < REACH ** 2) {
            found += 1;
            break;
          }
        }
      }
      return (2 * found) / points.length;
    };
    return { hits: near(made, this.real), covered: near(this.real, made) };
  }

  /** For the first `count` generated points: the direction in which each lowers the generator's loss. */
  pulls(made, count) {
    const slopes = inputGradient(this.D, made.subarray(0, 2 * count), count);
    const logits = this.D.forward(made.subarray(0, 2 * count), count);
    const push = PUSH[this.settings.loss];
    return slopes.map((slope, i) => slope * push(logits[Math.floor(i / 2)]));
  }

  /** The probability of "real" in the middles of CELLS x CELLS cells, row by row from the top left. */
  ground() {
    const at = (k) => ((k + 0.5) / CELLS) * 2 * HALF - HALF;
    const middles = Float32Array.from({ length: 2 * CELLS * CELLS }, (_, i) => (i % 2 ? -at(Math.floor(i / 2 / CELLS)) : at((i / 2) % CELLS)));
    return Float32Array.from(this.D.forward(middles, CELLS * CELLS).subarray(0, CELLS * CELLS), sigmoid);
  }
}

// ---- the picture ------------------------------------------------------------------------------------------

/** Paints the ground, the points of both kinds and the arrows; `ground` is a canvas of CELLS x CELLS. */
function drawGame(canvas, ground, game) {
  const context = canvas.getContext("2d");
  const place = (v) => ((v + HALF) / (2 * HALF)) * SIZE;
  const made = game.generated();
  const sure = game.ground();
  paint(ground, CELLS, CELLS, (k) => mix(0.75 * Math.abs(2 * sure[k] - 1) ** 0.7, sure[k] > 0.5 ? LOWERS : RAISES));
  context.imageSmoothingEnabled = true;
  context.drawImage(ground, 0, 0, SIZE, SIZE);
  context.strokeStyle = `rgb(${PAPER})`;
  context.lineWidth = 1.5;
  const dots = (points, colour, outline) => {
    context.fillStyle = `rgb(${colour})`;
    for (let i = 0; i < points.length; i += 2) {
      context.beginPath();
      outline(place(points[i]), place(-points[i + 1]));
      context.fill();
      context.stroke();
    }
  };
  dots(game.real, REAL, (x, y) => context.arc(x, y, 5.5, 0, 2 * Math.PI));
  dots(made, MADE, (x, y) => {
    context.moveTo(x, y - 8);
    context.lineTo(x + 8, y);
    context.lineTo(x, y + 8);
    context.lineTo(x - 8, y);
    context.closePath();
  });
  context.strokeStyle = "rgb(255 255 255 / 0.85)";
  context.lineWidth = 2.5;
  context.lineCap = "round";
  const pulls = game.pulls(made, PULLED);
  for (let i = 0; i < pulls.length; i += 2) {
    const size = Math.hypot(pulls[i], pulls[i + 1]);
    const length = (SIZE / (2 * HALF)) * 0.35 * Math.tanh(size); // so that steep ones do not cover all
    if (length < 2) continue;
    const [dx, dy] = [(pulls[i] / size) * length, (-pulls[i + 1] / size) * length];
    const [x, y] = [place(made[i]), place(-made[i + 1])];
    const head = Math.min(9, length / 2) / length;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + dx, y + dy);
    context.moveTo(x + dx - head * (dx + dy), y + dy - head * (dy - dx));
    context.lineTo(x + dx, y + dy);
    context.lineTo(x + dx - head * (dx - dy), y + dy - head * (dy + dx));
    context.stroke();
  }
}

/** Strokes of a drawing area, {x, y} in 0-1, as points of the plane, evenly along the way. */
function strokesToPoints(strokes) {
  const points = [];
  const put = ({ x, y }) => points.push((2 * x - 1) * HALF, (1 - 2 * y) * HALF);
  for (const stroke of strokes) {
    put(stroke[0]);
    stroke.slice(1).forEach((to, k) => {
      const from = stroke[k];
      const parts = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / 0.01);
      for (let i = 1; i <= parts; i++) put({ x: from.x + (i / parts) * (to.x - from.x), y: from.y + (i / parts) * (to.y - from.y) });
    });
  }
  return points.map((v) => Math.round(v * 1000) / 1000);
}

// ---- the widget -------------------------------------------------------------------------------------------

const LIVE = new Set(["steps_d", "rate", "ratio", "r1", "loss"]); // these change while the game goes on

function render({ model, el }) {
  const { presets, start } = model.get("_options");
  const names = ["data", "points", "steps_d", "rate", "ratio", "r1", "loss"];
  const step = inStep(model, names);
  const { state } = step;
  let seed = 0;
  let preset = null;
  let ghost = null; // the game before this one
  const settings = () => ({ ...state, data: state.data === "drawn" && !state.points.length ? "ring" : state.data, seed });
  let game = new Game(settings());

  const root = h("div", { class: "cw gg", role: "group", "aria-label": "A generator and a discriminator play in the plane" });
  let drawn = 0;
  const run = runner({
    element: root,
    step: () => game.step(),
    afterSlice() {
      if (run.running && performance.now() - drawn < DRAWN_EVERY) return;
      drawn = performance.now();
      if (run.running) step.change({});
      else step.commit({}, []); // it came to its end: say so
    },
  });

  function goOn() {
    if (game.steps >= game.goal) game.goal = game.steps + ROUND;
    run.start();
  }

  function toggle() {
    if (run.running) run.pause();
    else goOn();
    step.commit({}, []);
  }

  function single(work) {
    run.pause();
    if (!game.diverged) work();
    step.commit({}, []);
  }

  /** New networks with the settings as they are. */
  function reset() {
    if (game.steps > 1) ghost = game;
    game = new Game(settings());
    step.commit({});
  }

  function set(values) {
    preset = null;
    Object.assign(state, values);
    if (!Object.keys(values).every((name) => LIVE.has(name))) return reset();
    Object.assign(game.settings, values);
    step.commit(values);
  }

  function choosePreset(chosen) {
    // all settings: nothing of an earlier choice stays
    for (const name of Object.keys(start)) state[name] = chosen[name] ?? start[name];
    preset = chosen;
    seed = 0;
    reset();
    goOn();
    step.change({});
  }

  // -- elements
  const slider = (name, key, min, max) =>
    rangeField({ name, min, max, perDecade: 10, text: figure, onInput: (v) => step.change({ [key]: v }), onChange: (v) => set({ [key]: Number(v.toPrecision(2)) }) });
  const menu = (name, key, options, read = Number) => selectField({ name, options, onChange: (v) => set({ [key]: read(v) }) });
  const fields = {
    data: menu("Data", "data", Object.entries(DATA_NAMES), String),
    steps_d: menu("Steps of D per step of G", "steps_d", [1, 2, 5, 10].map((n) => [n, String(n)])),
    rate: slider("G's learning rate", "rate", 1e-4, 1e-1),
    ratio: slider("D's rate, times G's", "ratio", 0.01, 10),
    r1: menu("R1 penalty", "r1", [0, 0.01, 0.1, 1, 10].map((v) => [v, v ? String(v) : "none"])),
    loss: menu("G's loss", "loss", [["non-saturating", "−log σ(D)"], ["saturating", "log(1 − σ(D))"]], String),
  };
  const go = button("", toggle, "cw-primary");
  const slow = checkField({ name: "slow", onChange: (on) => run.setSlow(on) });
  const again = button("New weights", () => {
    seed += 1;
    reset();
  });
  const cases = presetRow(presets, choosePreset);
  const status = h("p", { class: "gg-status" });
  const canvas = h("canvas", { class: "gg-plane", width: SIZE, height: SIZE, role: "img" });
  const ground = h("canvas", { width: CELLS, height: CELLS });
  const share = { scale: (v) => v, marks: [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]], colours: ["accent", "orange"] };
  const right = stepChart({ name: "D is right on: real (blue), generated (orange)", ...share });
  const quality = stepChart({ name: "Data covered (blue), generated points that hit it (orange)", ...share });
  const area = drawingArea({ onChange: redrawArea, onEnd: take, onClear: clear, onUndo: undo, say: step.say });
  area.hint.textContent = "Draw the data here";
  const drawing = h(
    "details",
    {},
    h("summary", {}, "Or draw the data yourself"),
    h("div", { class: "cw-chooser-drawing" }, area.paper, h("div", { class: "cw-chooser-buttons" }, area.undoButton, area.clearButton), area.note),
  );
  root.append(
    cases.element,
    h("div", { class: "cw-buttons" }, go, button("Step D", () => single(() => game.stepD())), button("Step G", () => single(() => game.stepG())), slow.element, again),
    h(
      "div",
      { class: "gg-columns" },
      h(
        "div",
        {},
        canvas,
        h(
          "p",
          { class: "cw-note" },
          h("span", { class: "cw-lowers" }, "● real"),
          " ",
          h("span", { class: "cw-raises" }, "◆ generated"),
          " Ground: blue where D says “real”, orange where “generated”. Arrows: where D's gradient pushes a generated point.",
        ),
      ),
      h("div", { class: "gg-charts" }, right.element, quality.element),
    ),
    status,
    title("Settings", "gg-title"),
    h("div", { class: "gg-fields" }, ...Object.values(fields).map(({ element }) => element)),
    drawing,
  );

  // -- drawing the data
  function redrawArea() {
    const empty = area.strokes().length === 0;
    area.redraw(null);
    area.hint.hidden = !empty;
    area.undoButton.disabled = area.clearButton.disabled = empty;
  }

  function take() {
    redrawArea();
    const points = strokesToPoints(area.strokes());
    set({ points, data: points.length ? "drawn" : "ring" });
  }

  function clear() {
    area.clear();
    take();
  }

  function undo() {
    area.undo();
    take();
  }

  // -- showing
  function summary() {
    if (game.diverged) return `After ${grouped(game.steps)} steps the losses are no numbers any more.`;
    const last = game.curve.at(-1);
    const nothing = state.data === "drawn" && !state.points.length ? " Nothing is drawn yet, so the data are the ring." : "";
    if (!last) return `Step ${grouped(game.steps)} of G.${nothing}`;
    return `Step ${grouped(game.steps)}. D is right on ${percent(last.real)} of the real and ${percent(last.fake)} of the generated points. ${percent(last.hits)} of the generated points hit the data; ${percent(last.covered)} of the data are covered.${nothing}`;
  }

  function draw() {
    for (const [name, field] of Object.entries(fields)) field.show(state[name]);
    go.textContent = run.running ? "Pause" : `Run ${grouped(ROUND)} steps`;
    cases.show(preset);
    status.textContent = summary();
    canvas.setAttribute("aria-label", `Real and generated points in the plane. ${summary()}`);
    drawGame(canvas, ground, game);
    const last = Math.max(game.steps, ghost?.steps ?? 0);
    const lines = (one, keys) => keys.map((key) => (one?.curve ?? []).map((p) => [p.step, p[key]]));
    right.show(lines(game, ["real", "fake"]), lines(ghost, ["real", "fake"]), last);
    quality.show(lines(game, ["covered", "hits"]), lines(ghost, ["covered", "hits"]), last);
  }

  redrawArea();
  root.ganGame = { run, game: () => game }; // for tests and for the curious
  return step.mount({
    el,
    root,
    draw,
    sentence: () => (run.running ? "" : summary()),
    pulled(changed) {
      preset = null;
      if (changed.every((name) => LIVE.has(name))) Object.assign(game.settings, settings());
      else reset();
    },
    jobs: [{ cancel: () => run.dispose() }],
  });
}

export default { render };
