// map_forming.js - an autoencoder with two latent numbers, plain or variational, trained in the page.

import { trainingDigits } from "./lib/digits.js";
import { button, freshId, h, title } from "./lib/dom.js";
import { sigmoid } from "./lib/engine.js";
import { checkField, rangeField } from "./lib/fields.js";
import { clamp, grouped, signed } from "./lib/numbers.js";
import { PIXELS, SIDE, digitCanvas, paintDigit } from "./lib/pictures.js";
import { drawAxes, drawCodes, mapPad, numeralPictures, openMap } from "./lib/plane.js";
import { presetRow } from "./lib/presets.js";
import { normal, uniform } from "./lib/random.js";
import { inStep, oncePerFrame } from "./lib/step.js";
import { Adam, GaussianCode, Linear, Network, ReLU, logisticLoss, minibatches, runner, warmUp } from "./lib/train.js";

const BETAS = [0, 0.1, 0.3, 1, 3, 10, 30];
const WIDTHS = [64, 32]; // of the hidden layers, from the picture to the code; the decoder's in turn
const BATCH = 32;
const RATE = 0.004; // Adam's
const PAPER_LOGIT = -1.5; // of every pixel at first: paper is white
const SHOWN = 600; // held-out digits on the map
const PART = 50; // of them encoded at a time
const JUDGED_EVERY = 250; // ms from one picture of the map to the next
const ROUND = 1500; // steps that one press trains
const TILES = 12; // decoded digits along each side of the map
const SAMPLES = 10; // digits drawn from the prior
const EXTENTS = [3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
const KEY_STEPS = 50; // presses of a key from the middle to the edge

// ---- the training ---------------------------------------------------------------------------------------

/** What a list of layers makes of (count, n) numbers. */
const through = (layers, x, count) => layers.reduce((values, layer) => layer.forward(values, count), x);

/** Logits as bytes of ink. */
const inkOf = (logits) => Uint8ClampedArray.from(logits, (logit) => 255 * sigmoid(logit));

/**
 * A network, its data, and the map of it: the codes of held-out digits, and on `sheet` what the decoder
 * draws. It trains up to the step `goal`, and then draws its map once more.
 */
class Lab {
  constructor({ training, heldOut }, { beta, noise, seed }, sheet) {
    this.sheet = sheet;
    const random = uniform(seed);
    const [wide, narrow] = WIDTHS;
    const options = { random, gain: Math.SQRT2 };
    this.encoder = [new Linear(PIXELS, wide, options), new ReLU(wide), new Linear(wide, narrow, options), new ReLU(narrow), new Linear(narrow, 4, { random })];
    this.decoder = [new Linear(2, narrow, options), new ReLU(narrow), new Linear(narrow, wide, options), new ReLU(wide), new Linear(wide, PIXELS, { random })];
    this.decoder[4].params.bias.fill(PAPER_LOGIT);
    this.code = new GaussianCode(2, { random });
    this.net = new Network(...this.encoder, this.code, ...this.decoder);
    this.set({ beta, noise });
    this.stepper = new Adam(this.net);
    this.batches = minibatches(training.images, training.labels, PIXELS, BATCH, random);
    this.delta = new Float32Array(this.batches.size * PIXELS);
    this.passLength = Math.floor(training.labels.length / this.batches.size);
    const count = Math.min(SHOWN, heldOut.labels.length);
    this.heldOut = heldOut.images.subarray(0, count * PIXELS);
    this.codes = { x: new Float64Array(count), y: new Float64Array(count), labels: heldOut.labels.subarray(0, count) };
    this.scratch = new Float32Array(PART * PIXELS);
    this.points = Array.from({ length: SAMPLES }, () => [normal(random), normal(random)]); // from the prior
    this.steps = 0;
    this.goal = 0;
    this.judged = null; // { step, distortion, rate }: means over the held-out digits, in nats
    this.judging = null;
    this.extent = EXTENTS[0];
    this.diverged = false;
    warmUp(this.net);
  }

  /** Both may change while it trains. */
  set({ beta, noise }) {
    this.code.beta = beta;
    this.code.noisy = noise;
    this.lastJudged = -Infinity;
    this.judging = null;
  }

  get training() {
    return this.steps < this.goal;
  }

  /** Nothing to train, and the map is that of the network as it is. */
  get finished() {
    return !this.training && this.judged?.step === this.steps && this.lastJudged > 0;
  }

  /** A piece of work: one step, or one part of the map. */
  work() {
    if (this.diverged || this.finished) return false;
    if (!this.training || performance.now() - this.lastJudged > JUDGED_EVERY) this.judging ??= { at: 0, row: 0, distortion: 0, rate: 0 };
    if (!this.judging) this.step();
    else if (this.judging.at < this.codes.labels.length) this.judge();
    else this.drawRow();
    return !this.diverged;
  }

  step() {
    const { x } = this.batches.next();
    const count = this.batches.size;
    const distortion = logisticLoss(this.net.forward(x, count), x, count, this.delta);
    this.diverged = !Number.isFinite(distortion + this.code.rate(count));
    if (this.diverged) return;
    this.net.backward(this.delta, count);
    this.stepper.step(RATE);
    this.steps += 1;
  }

  judge() {
    const { judging, codes, heldOut } = this;
    const total = codes.labels.length;
    const count = Math.min(PART, total - judging.at);
    const x = heldOut.subarray(judging.at * PIXELS, (judging.at + count) * PIXELS);
    const logits = this.net.forward(x, count);
    judging.distortion += (count / total) * logisticLoss(logits, x, count, this.scratch.subarray(0, count * PIXELS));
    judging.rate += (count / total) * this.code.rate(count);
    for (let row = 0; row < count; row++) {
      codes.x[judging.at + row] = this.code.x[4 * row];
      codes.y[judging.at + row] = this.code.x[4 * row + 1];
    }
    judging.at += count;
    if (judging.at < total) return;
    const far = codes.x.map((v, i) => Math.max(Math.abs(v), Math.abs(codes.y[i]))).sort();
    const needed = far[Math.floor(0.98 * total)];
    this.extent = EXTENTS.find((extent) => extent >= needed) ?? EXTENTS.at(-1);
  }

  /** One row of the digits that lie on the map; after the last, the map stands. */
  drawRow() {
    const { judging, extent, sheet } = this;
    const at = (k) => ((2 * k + 1) / TILES - 1) * extent;
    const pictures = this.decode(Array.from({ length: TILES }, (_, k) => [at(k), -at(judging.row)]));
    for (let k = 0; k < TILES; k++) paintDigit(sheet, pictures.subarray(k * PIXELS, (k + 1) * PIXELS), k * SIDE, judging.row * SIDE);
    judging.row += 1;
    if (judging.row < TILES) return;
    this.judged = { step: this.steps, distortion: judging.distortion, rate: judging.rate };
    this.judging = null;
    this.lastJudged = performance.now();
  }

  /** What the decoder draws at points [[x, y], ...]: 784 bytes each, behind each other. */
  decode(points) {
    return inkOf(through(this.decoder, Float32Array.from(points.flat()), points.length).subarray(0, points.length * PIXELS));
  }
}

// ---- the map --------------------------------------------------------------------------------------------

/** Circles of radius 1 and 2: 39 % and 86 % of the prior lie inside. */
function drawPrior({ context, side, ratio, place }, extent) {
  context.strokeStyle = "rgb(255 255 255 / 0.75)";
  context.lineWidth = 1.5 * ratio;
  context.setLineDash([6 * ratio, 5 * ratio]);
  for (const radius of [1, 2]) {
    context.beginPath();
    context.arc(...place([0, 0]), ((radius / extent) * side) / 2, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}

/** The lab's map: what the decoder draws, faint, and the codes before it. */
function drawLab(canvas, { lab, pictures, drawings }) {
  const extent = lab?.extent ?? EXTENTS[0];
  const map = openMap(canvas, extent);
  if (!map) return;
  const { context, side, ratio } = map;
  if (lab && drawings) {
    context.globalAlpha = 0.42;
    context.imageSmoothingEnabled = true;
    context.drawImage(lab.sheet, 0, 0, side, side);
    context.globalAlpha = 1;
  }
  drawAxes(map, extent);
  drawPrior(map, extent);
  if (lab) drawCodes(map, lab.codes, pictures(side < 380 * ratio ? 9 : 10.5, ratio), null);
}

// ---- the widget -----------------------------------------------------------------------------------------

function render({ model, el }) {
  const { presets, goal } = model.get("_options");
  const colours = model.get("_colours");
  const step = inStep(model, ["beta", "noise", "z", "measured"]);
  const { state } = step;
  let digits = null;
  let lab = null;
  let seed = 0;
  let preset = null;
  let drawn = null; // the judgement that the map shows
  let note = "Nothing is loaded until you press a button: then 600 kB of digits come from this site.";

  // -- running
  const root = h("div", { class: "cw mf", role: "group", "aria-label": "The map forming: train an autoencoder in the page" });
  const run = runner({
    element: root,
    step: () => lab.work(),
    afterSlice() {
      if (!run.running) finish();
      else if (lab.judged !== drawn) step.change({});
    },
  });

  /** At rest: drawn, said, and told to Python. */
  function finish() {
    const { judged } = lab ?? {};
    step.commit({ measured: judged && lab.finished ? [judged.step, judged.distortion, state.noise ? judged.rate : 0] : [] });
  }

  /** The lab, once there are digits; null, with the reason on the page, where there are none. */
  async function prepare() {
    if (lab) return lab;
    try {
      note = "Loading the digits …";
      step.change({});
      digits ??= await trainingDigits(model);
      if (!lab) reset();
      note = "";
    } catch (error) {
      note = error.message;
    }
    step.change({});
    return lab;
  }

  function goOn() {
    lab.goal = lab.steps + ROUND;
    run.start();
  }

  async function toggle() {
    if (lab?.training) lab.goal = lab.steps; // it draws its map, and rests
    else if (await prepare()) goOn();
    step.change({});
  }

  /** A new network with the settings as they are. */
  function reset() {
    drawn = null;
    lab = digits ? new Lab(digits, { beta: state.beta, noise: state.noise, seed }, sheet) : null;
    if (lab) run.start();
    finish();
  }

  /** The network at hand goes on with another price, or with noise or without. */
  function set(values) {
    preset = null;
    Object.assign(state, values);
    lab?.set(state);
    if (lab) run.start();
    finish();
  }

  async function choosePreset(chosen) {
    preset = chosen;
    Object.assign(state, { beta: chosen.beta, noise: chosen.noise });
    reset();
    if (await prepare()) goOn();
    step.change({});
  }

  // -- elements
  const helpId = freshId();
  const extent = () => lab?.extent ?? EXTENTS[0];
  const beta = rangeField({
    name: "β, the price of a nat of rate",
    min: 0,
    max: BETAS.length - 1,
    step: 1,
    text: (k) => String(BETAS[k]),
    onInput: (k) => step.change({ beta: BETAS[Number(k)] }),
    onChange: (k) => set({ beta: BETAS[k] }),
  });
  const noise = checkField({ name: "Noise on the codes", onChange: (on) => set({ noise: on }) });
  const drawings = checkField({
    name: "Show what the decoder draws",
    onChange() {
      drawn = null;
      step.change({});
    },
  });
  drawings.input.checked = true;
  const train = button("", toggle, "cw-primary");
  const again = button("New network", async () => {
    seed += 1;
    if (lab) reset();
    else await prepare();
  });
  const cases = presetRow(presets, choosePreset);
  const status = h("p", { class: "mf-status" });
  const canvas = h("canvas", { class: "cw-plane-map", "aria-hidden": "true" });
  const sheet = h("canvas", { width: TILES * SIDE, height: TILES * SIDE });
  const pad = mapPad({
    canvas,
    reach: extent,
    keyStep: () => extent() / KEY_STEPS,
    describedBy: helpId,
    point: () => state.z,
    onMove: (z) => step.move({ z: z.map((v) => clamp(v, -extent(), extent())) }),
    onEnd: step.rest,
  });
  const decoded = digitCanvas("");
  const place = h("p", { class: "cw-note mf-place" });
  const samples = h("canvas", { class: "mf-samples", width: SAMPLES * SIDE, height: SIDE, role: "img", "aria-label": "Ten digits decoded from codes drawn from the prior" });
  root.append(
    cases.element,
    h("div", { class: "cw-buttons" }, train, again, noise.element, drawings.element),
    h("div", { class: "mf-beta" }, beta.element),
    status,
    h(
      "div",
      { class: "mf-main" },
      h("div", {}, title("Codes of held-out digits; dashed: the prior"), pad.element),
      h("div", { class: "mf-right" }, title("Decoded at your point"), decoded, place),
    ),
    h("p", { class: "cw-note", id: helpId }, "Drag the point, or move it with the arrow keys; with Shift it moves five times as far."),
    title("Samples: ten codes drawn from the prior, decoded"),
    samples,
  );

  // -- drawing
  const made = new Map(); // the numerals, for each size of the map
  function numerals(size, ratio) {
    const key = `${size} ${ratio}`;
    if (!made.has(key)) made.set(key, numeralPictures(colours, size, ratio));
    return made.get(key);
  }

  function summary() {
    if (!lab?.judged) return note;
    if (lab.diverged) return `After ${grouped(lab.steps)} steps the loss is no number any more.`;
    const { distortion, rate } = lab.judged;
    const total = distortion + rate;
    const cost = state.noise
      ? `distortion ${distortion.toFixed(1)} + rate ${rate.toFixed(1)} = −ELBO ${total.toFixed(1)} nats.`
      : `distortion ${distortion.toFixed(1)} nats. Without noise there is no rate, and no bound.`;
    const reached = goal && state.noise ? (total <= goal ? ` That is below ${goal}: done.` : "") : "";
    return `Step ${grouped(lab.steps)}, ${(lab.steps / lab.passLength).toFixed(1)} passes. ${lab.codes.labels.length} held-out digits: ${cost}${reached} ${note}`;
  }

  function drawMap() {
    drawn = lab?.judged ?? null;
    drawLab(canvas, { lab: lab?.judged ? lab : null, pictures: numerals, drawings: drawings.input.checked });
    if (!lab?.judged) return;
    const pictures = lab.decode(lab.points);
    lab.points.forEach((_, k) => paintDigit(samples, pictures.subarray(k * PIXELS, (k + 1) * PIXELS), k * SIDE));
  }

  function draw() {
    const { z } = state;
    beta.show(BETAS.indexOf(state.beta));
    beta.input.disabled = !state.noise;
    noise.input.checked = state.noise;
    train.textContent = lab?.training ? "Pause" : `Train ${grouped(ROUND)} steps`;
    cases.show(preset);
    status.textContent = summary();
    if (!lab || (lab.judged && lab.judged !== drawn)) drawMap();
    pad.show(z);
    place.textContent = `z = (${z.map(signed).join(", ")})`;
    decoded.setAttribute("aria-label", `What the decoder draws at z = (${z.map(signed).join(", ")})`);
    paintDigit(decoded, lab ? lab.decode([z]) : new Uint8Array(PIXELS));
  }
  const redrawMap = oncePerFrame(drawMap);
  const resized = new ResizeObserver(() => redrawMap());
  resized.observe(canvas);

  root.mapForming = { run, lab: () => lab, ready: prepare }; // for tests and for the curious
  return step.mount({
    el,
    root,
    draw,
    sentence: () => (lab?.training ? "" : summary()),
    pulled(changed) {
      if (changed.some((name) => name === "beta" || name === "noise")) set({});
    },
    jobs: [redrawMap, { cancel: () => run.dispose() }, { cancel: () => resized.disconnect() }],
  });
}

export default { render };
