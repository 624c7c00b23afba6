// train_digits.js - train a network on real digits in the page, and look into it while it learns.

import { digitBars } from "./lib/bars.js";
import { digitChooser } from "./lib/chooser.js";
import { trainingDigits } from "./lib/digits.js";
import { button, h, title } from "./lib/dom.js";
import { softmax } from "./lib/engine.js";
import { checkField, rangeField, selectField } from "./lib/fields.js";
import { figure, grouped, largest, norm, percent, rms } from "./lib/numbers.js";
import { PIXELS, bytesToInk, digitCanvas, paintDigit, paintWeights, thumbnail } from "./lib/pictures.js";
import { presetRow } from "./lib/presets.js";
import { uniform } from "./lib/random.js";
import { inStep } from "./lib/step.js";
import { stepChart } from "./lib/step_chart.js";
import { Momentum, ReLU, SGD, Sigmoid, Tanh, denseNet, minibatches, runner, softmaxCrossEntropy, warmUp } from "./lib/train.js";

const CLASSES = 10;
const ACTIVATIONS = { relu: ReLU, tanh: Tanh, sigmoid: Sigmoid };
const GAIN = { relu: Math.SQRT2, tanh: 1, sigmoid: 1 };
const OPTIMIZERS = { sgd: SGD, momentum: Momentum };
const PART = 100; // held-out digits that are judged at a time
const JUDGED_EVERY = 400; // ms from one judgement of all held-out digits to the next
const JUDGED_FROM = 1e-4; // size of a gradient that single precision still knows to three digits
const ROUND = 1000; // steps that one press trains
const POINTS = 300; // of a curve; then every other one is dropped
const SHOWN = 32; // hidden units with a picture
const DRAWN_EVERY = 80; // ms from one picture of a running training to the next

/** What a wrong backward pass does to the gradients of the first layer, after all is computed. */
const FAULTS = {
  none: { name: "the right gradient", spoil() {} },
  sum: { name: "forgotten: 1/N", spoil: (layers, count) => layers.forEach((layer) => scale(layer, count)) },
  half: { name: "a factor ½ in the hidden layer", spoil: ([first]) => scale(first, 0.5) },
  bias: { name: "forgotten: the hidden biases", spoil: ([first]) => first.grads.bias.fill(0) },
  slope: { name: "forgotten: the slope of the activation", spoil() {} }, // see Lab.backward
  sign: { name: "the wrong sign in the hidden layer", spoil: ([first]) => scale(first, -1) },
};

function scale({ grads }, factor) {
  for (const values of Object.values(grads)) for (let i = 0; i < values.length; i++) values[i] *= factor;
}

// ---- the training ---------------------------------------------------------------------------------------

/** A network, its data and its history. `settings`: hidden, activation, optimizer, rate, batch, fault, seed. */
class Lab {
  constructor({ training, heldOut }, settings) {
    const random = uniform(settings.seed);
    const sizes = settings.hidden ? [PIXELS, settings.hidden, CLASSES] : [PIXELS, CLASSES];
    this.settings = settings;
    this.training = training;
    this.heldOut = heldOut;
    this.activation = ACTIVATIONS[settings.activation];
    this.net = denseNet(sizes, this.activation, { random, gain: settings.scale * GAIN[settings.activation] });
    this.linear = this.net.layers.filter((layer) => layer.params.weight);
    this.stepper = new OPTIMIZERS[settings.optimizer](this.net);
    this.batches = minibatches(training.images, training.labels, PIXELS, settings.batch, random);
    this.delta = new Float32Array(this.batches.size * CLASSES);
    this.passLength = Math.floor(training.labels.length / this.batches.size);
    this.steps = 0;
    this.seconds = 0; // of training, without what is drawn and judged
    this.curve = []; // { step, loss, sizes: rms of each layer's weight gradient }
    this.every = 1; // steps to a point of the curve
    this.judged = []; // { step, accuracy }
    this.judging = null;
    this.lastJudged = -Infinity;
    this.goal = ROUND; // where a training stops by itself
    this.diverged = false;
    warmUp(this.net);
    for (const { grads } of this.linear) for (const values of Object.values(grads)) values.fill(0); // none yet
  }

  /** Judged, and as far as it was to go. */
  get finished() {
    return this.steps === this.goal && this.judged.at(-1)?.step === this.steps;
  }

  /** A piece of work: one step, or one part of the judgement of the held-out digits. */
  work() {
    if (this.diverged || this.finished) return false;
    const due = this.steps === this.goal || performance.now() - this.lastJudged > JUDGED_EVERY;
    if (due) this.judging ??= { at: 0, right: 0 };
    if (this.judging) this.judge();
    else this.step();
    return !this.diverged;
  }

  step() {
    const began = performance.now();
    const { x, y } = this.batches.next();
    const count = this.batches.size;
    const loss = softmaxCrossEntropy(this.net.forward(x, count), y, count, this.delta);
    this.backward(count);
    this.diverged = !Number.isFinite(loss);
    if (!this.diverged) this.stepper.step(this.settings.rate);
    this.seconds += (performance.now() - began) / 1000;
    if (this.steps % this.every === 0) this.note(loss);
    this.steps += 1;
  }

  /** The gradients as the settings have them: right, or with one fault. */
  backward(count) {
    const { fault } = this.settings;
    const hidden = this.linear.length > 1 && fault === "slope" ? this.net.layers[1] : null;
    if (hidden) hidden.slope = () => 1;
    this.net.backward(this.delta, count);
    if (hidden) delete hidden.slope;
    if (this.linear.length > 1 || fault === "sum") FAULTS[fault].spoil(this.linear, count);
  }

  note(loss) {
    this.curve.push({ step: this.steps, loss, sizes: this.linear.map(({ grads }) => rms(grads.weight)) });
    if (this.curve.length > POINTS) {
      this.curve = this.curve.filter((_, i) => i % 2 === 0);
      this.every *= 2;
    }
  }

  judge() {
    const { images, labels } = this.heldOut;
    const { at } = this.judging;
    const count = Math.min(PART, labels.length - at);
    const outputs = this.net.forward(images.subarray(at * PIXELS, (at + count) * PIXELS), count);
    for (let row = 0; row < count; row++) {
      const logits = outputs.subarray(row * CLASSES, (row + 1) * CLASSES);
      this.judging.right += logits.indexOf(Math.max(...logits)) === labels[at + row];
    }
    this.judging.at += count;
    if (this.judging.at < labels.length) return;
    this.judged.push({ step: this.steps, accuracy: this.judging.right / labels.length });
    if (this.judged.length > POINTS) this.judged = this.judged.filter((_, i) => i % 2 === 0);
    this.judging = null;
    this.lastJudged = performance.now();
  }

  /** Ten probabilities for a picture of ink 0 to 1, and the hidden units' activations (none: null). */
  answer(ink) {
    const probabilities = softmax(Float32Array.from(this.net.forward(ink, 1).subarray(0, CLASSES)));
    return { probabilities, activations: this.linear.length > 1 ? this.net.layers[1].value.slice(0, this.settings.hidden) : null };
  }

  /**
   * The gradient of the first layer against central differences in float64: the relative error
   * ||found - measured|| / max(||found||, ||measured||) of 60 weights and of all biases; null where they
   * are too small for single precision. It looks at the first training digits, and draws no batch: the
   * training goes on as if nothing had been asked.
   */
  check() {
    const count = this.batches.size;
    const x = this.training.images.subarray(0, count * PIXELS);
    const y = this.training.labels.subarray(0, count);
    softmaxCrossEntropy(this.net.forward(x, count), y, count, this.delta);
    this.backward(count);
    const sizes = this.linear.map((layer) => layer.n).concat(CLASSES);
    const exact = denseNet(sizes, this.activation, { Numbers: Float64Array });
    const twins = exact.layers.filter((layer) => layer.params.weight);
    twins.forEach(({ params }, k) => Object.entries(params).forEach(([name, values]) => values.set(this.linear[k].params[name])));
    const examples = Float64Array.from(x);
    const delta = new Float64Array(this.delta.length);
    const loss = () => softmaxCrossEntropy(exact.forward(examples, count), y, count, delta);
    const error = (name, places) => {
      const found = this.linear[0].grads[name];
      const values = twins[0].params[name];
      const slopes = places.map((i) => {
        const kept = values[i];
        values[i] = kept + 1e-5;
        const above = loss();
        values[i] = kept - 1e-5;
        const below = loss();
        values[i] = kept;
        return (above - below) / 2e-5;
      });
      const ours = places.map((i) => found[i]);
      const size = Math.max(norm(ours), norm(slopes));
      return size < JUDGED_FROM ? null : norm(ours.map((v, k) => v - slopes[k])) / size;
    };
    loss();
    exact.backward(delta, count);
    const size = (i) => Math.abs(twins[0].grads.weight[i]);
    const steepest = [...twins[0].grads.weight.keys()].sort((a, b) => size(b) - size(a));
    return {
      weight: error("weight", steepest.slice(0, 600).filter((_, k) => k % 10 === 0)),
      bias: error("bias", [...twins[0].params.bias.keys()]),
    };
  }
}

// ---- the widget -------------------------------------------------------------------------------------------

function render({ model, el }) {
  const { presets, activations, optimizers, faults, inside, scale: first, start } = model.get("_options");
  const names = ["hidden", "activation", "optimizer", "rate", "batch", "fault", "unit", "image"];
  const step = inStep(model, names);
  const { state } = step;
  let digits = null;
  let lab = null;
  let scaleNow = first; // of the weights at first; a preset may change it
  let seed = 0;
  let preset = null;
  let ghost = null; // the network before this one
  let note = "Nothing is loaded until you press a button: then 600 kB of digits come from this site.";

  // -- running
  const settings = () => ({ ...Object.fromEntries(names.map((name) => [name, state[name]])), scale: scaleNow, seed });
  const root = h("div", { class: "cw td", role: "group", "aria-label": "Train a network in the page" });
  let drawn = 0;
  const run = runner({
    element: root,
    step: () => lab.work(),
    afterSlice() {
      if (run.running && performance.now() - drawn < DRAWN_EVERY) return;
      drawn = performance.now();
      step.change({});
    },
  });

  /** The lab, once there are digits; null, with the reason on the page, where there are none. */
  async function prepare() {
    if (lab) return lab;
    try {
      note = "Loading the digits …";
      step.change({});
      digits ??= await trainingDigits(model);
      note = "";
    } catch (error) {
      note = error.message; // ours: lib/digits.js
    }
    if (digits) lab ??= new Lab(digits, settings());
    step.change({});
    return lab;
  }

  async function toggle() {
    if (run.running) run.pause();
    else if (await prepare()) goOn();
    step.change({});
  }

  function goOn() {
    if (lab.steps === lab.goal) lab.goal += ROUND;
    checked.textContent = "";
    run.start();
  }

  async function once() {
    run.pause();
    if (!(await prepare()) || lab.diverged) return;
    if (lab.steps === lab.goal) lab.goal += ROUND;
    checked.textContent = "";
    lab.step();
    lab.judging = { at: 0, right: 0 };
    while (lab.judging) lab.judge();
    step.commit({}, []);
  }

  /** A new network with the settings as they are; it trains on if it was training. */
  function reset() {
    if (lab?.steps > 1) ghost = lab;
    checked.textContent = "";
    lab = digits ? new Lab(digits, settings()) : null;
    step.commit({ unit: Math.min(state.unit, Math.max(0, state.hidden - 1)) });
  }

  function set(values) {
    preset = null;
    Object.assign(state, values);
    // what can change while a network trains changes; the rest makes a new one
    if (lab && Object.keys(values).every((name) => name === "rate")) {
      Object.assign(lab.settings, values);
      step.commit(values);
    } else reset();
  }

  async function choosePreset(chosen) {
    // all settings: nothing of an earlier choice stays
    for (const name of Object.keys(start)) state[name] = chosen[name] ?? start[name];
    scaleNow = chosen.scale ?? first;
    preset = chosen;
    reset();
    if (await prepare()) goOn();
    step.change({});
  }

  // -- elements
  const fields = {
    hidden: selectField({ name: "Hidden units", options: [0, 8, 16, 32, 64].map((n) => [n, n ? String(n) : "0: softmax regression"]), onChange: (v) => set({ hidden: Number(v) }) }),
    activation: selectField({ name: "Activation", options: activations.map((v) => [v, v === "relu" ? "ReLU" : v]), onChange: (activation) => set({ activation }) }),
    optimizer: selectField({ name: "Optimiser", options: optimizers.map((v) => [v, v === "sgd" ? "SGD" : v]), onChange: (optimizer) => set({ optimizer }) }),
    batch: selectField({ name: "Batch", options: [1, 8, 32, 128].map((n) => [n, String(n)]), onChange: (v) => set({ batch: Number(v) }) }),
    rate: rangeField({ name: "Learning rate", min: 0.001, max: 10, perDecade: 20, text: figure, onInput: (rate) => step.change({ rate }), onChange: (rate) => set({ rate: Number(rate.toPrecision(2)) }) }),
    fault: selectField({ name: "Backward pass", options: faults.map((key) => [key, FAULTS[key].name]), onChange: (fault) => set({ fault }) }),
  };
  if (activations.length < 2) fields.activation.element.hidden = true;
  if (optimizers.length < 2) fields.optimizer.element.hidden = true;
  if (faults.length < 2) fields.fault.element.hidden = true;

  const train = button("", toggle, "cw-primary");
  const single = button("One step", once);
  const slow = checkField({ name: "slow", onChange: (on) => run.setSlow(on) });
  const again = button("New network", async () => {
    seed += 1;
    if (lab) reset();
    else await prepare();
  });
  const cases = presetRow(presets, choosePreset);
  const status = h("p", { class: "td-status" });
  const loss = stepChart({ name: "Loss on each batch (nats)", marks: [[0, "0"], [1, "1"], [2.303, "log 10"]], scale: (v) => v / 3, colours: ["orange"] });
  const right = stepChart({ name: "Held-out digits read correctly", marks: [[0, "0 %"], [0.5, "50 %"], [0.9, "90 %"]], scale: (v) => v, colours: ["accent"] });
  const sizes = stepChart({ name: "Size (root mean square) of the weight gradient: hidden layer (blue), output layer (orange)", marks: [[1e-4, "10⁻⁴"], [1e-2, "10⁻²"], [1, "1"]], scale: (v) => (Math.log10(v + 1e-9) + 5) / 5.5, colours: ["accent", "orange"] });
  const tiles = Array.from({ length: SHOWN }, (_, k) => thumbnail("", () => step.commit({ unit: k }), "td-unit"));
  const pictures = h("div", { class: "cw-thumbnails td-units" }, ...tiles.map(({ element }) => element));
  const sizeWords = h("p", { class: "cw-note" });
  const faint = h("p", { class: "cw-note" }, "The faint lines are those of the network before.");
  const picturesTitle = title("");
  const unitWeights = digitCanvas("The chosen unit's weights");
  const unitGradient = digitCanvas("The gradient by these weights on the last batch");
  const unitText = h("p", { class: "cw-note" });
  const checked = h("p", { class: "td-checked" });
  const checkButton = button("Check the gradient", async () => {
    if (!(await prepare())) return;
    const { weight, bias } = lab.check();
    const words = (error) => (error === null ? "too small to judge" : error > 0.01 ? `off by ${Math.round(100 * error)} %` : `right (${figure(error)})`);
    checked.textContent = `Against nudges to both sides, the gradient of this layer's weights is ${words(weight)}, that of its biases ${words(bias)}.${Math.max(weight, bias) > 0.01 ? " This backward pass is wrong." : ""}`;
    step.say(checked.textContent);
    step.commit({}, []);
  });
  const insidePart = h(
    "div",
    { class: "td-inside" },
    h("figure", {}, h("figcaption", { class: "cw-title" }, "Its weights"), unitWeights),
    h("figure", {}, h("figcaption", { class: "cw-title" }, "Its gradient"), unitGradient),
    h("div", { class: "td-inside-words" }, unitText, checkButton, checked),
  );
  insidePart.hidden = sizes.element.hidden = !inside;
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels: model.get("_example_labels"),
    summary: "Or draw a digit, and have it read",
    onChoose(image, ended) {
      if (ended) step.commit({ image });
      else step.change({ image });
    },
    say: step.say,
  });
  const bars = digitBars({ prefix: "td", valueClass: "td-percent", label: "Probability of each digit" });
  const seen = digitCanvas("The digit that is read");
  const reading = h("p", { class: "td-reading" });
  const results = h(
    "div",
    { class: "td-results" },
    h("div", { class: "sc-charts" }, loss.element, right.element, sizes.element),
    sizeWords,
    faint,
    picturesTitle,
    pictures,
    insidePart,
    title("What this network reads"),
    h("div", { class: "td-answer" }, h("div", {}, seen, reading), bars.element),
    chooser.thumbnails,
    chooser.section,
  );
  root.append(
    cases.element,
    h("div", { class: "cw-buttons" }, train, single, slow.element, again),
    status,
    h("div", { class: "td-fields" }, ...Object.values(fields).map(({ element }) => element)),
    results,
  );

  // -- drawing
  function summary() {
    if (!lab) return note;
    if (lab.diverged) return `After ${grouped(lab.steps)} steps the loss is no number any more: the steps were too large, and the weights overflowed.`;
    const last = lab.curve[lab.curve.length - 1];
    const score = lab.judged[lab.judged.length - 1];
    const speed = lab.seconds > 0.2 ? `, ${grouped(Math.round((lab.steps * lab.batches.size) / lab.seconds / 100) * 100)} digits a second` : "";
    return [
      `Step ${grouped(lab.steps)}, ${(lab.steps / lab.passLength).toFixed(1)} passes${speed}.`,
      last ? `Loss ${last.loss.toFixed(3)}.` : "",
      score ? `${percent(score.accuracy, 1)} of 1,000 held-out digits.` : "",
      note,
    ].join(" ");
  }

  function drawPictures() {
    const [layer] = lab?.linear ?? [];
    const count = state.hidden || CLASSES;
    picturesTitle.textContent = state.hidden
      ? `Weights of the hidden units${count > SHOWN ? `, the first ${SHOWN}` : ""}: orange raises, blue lowers`
      : "The ten templates, weights of the digits 0 to 9: orange raises, blue lowers";
    tiles.forEach(({ canvas, element, press }, k) => {
      element.hidden = k >= count;
      if (element.hidden) return;
      element.setAttribute("aria-label", state.hidden ? `Hidden unit ${k}` : `Template of ${k}`);
      press(k === state.unit);
      if (layer) paintWeights(canvas, layer.params.weight.subarray(k * PIXELS, (k + 1) * PIXELS));
    });
    if (!layer || insidePart.hidden) return;
    const part = (values) => values.subarray(state.unit * PIXELS, (state.unit + 1) * PIXELS);
    paintWeights(unitWeights, part(layer.params.weight));
    paintWeights(unitGradient, part(layer.grads.weight));
    const bias = layer.grads.bias[state.unit];
    unitText.textContent = `${state.hidden ? "Hidden unit" : "Template"} ${state.unit}: largest weight ${figure(largest(part(layer.params.weight)))}, largest derivative ${figure(largest(part(layer.grads.weight)))}, derivative by its bias ${figure(bias)}.`;
  }

  function drawAnswer() {
    const empty = state.image.every((v) => v === 0);
    paintDigit(seen, state.image);
    chooser.mark(empty ? -1 : chooser.find(state.image));
    const answer = lab && !lab.diverged && !empty ? lab.answer(bytesToInk(state.image)) : null;
    const best = answer ? answer.probabilities.indexOf(Math.max(...answer.probabilities)) : -1;
    bars.show(answer?.probabilities ?? new Float32Array(CLASSES), Array.from({ length: CLASSES }, (_, k) => (answer ? percent(answer.probabilities[k], 1) : "–")), { "td-best": best });
    const fires = answer?.activations && inside ? ` Unit ${state.unit} gives ${figure(answer.activations[state.unit])}.` : "";
    reading.textContent = answer ? `It reads ${best}, ${percent(answer.probabilities[best])}.${fires}` : "Not trained yet.";
  }

  function draw() {
    for (const [name, field] of Object.entries(fields)) field.show(state[name]);
    results.hidden = !lab; // nothing to see before
    faint.hidden = !ghost;
    train.textContent = run.running ? "Pause" : `Train ${grouped(ROUND)} steps`;
    cases.show(preset);
    status.textContent = summary();
    const last = Math.max(lab?.steps ?? 0, ghost?.steps ?? 0);
    const lossOf = (one) => [(one?.curve ?? []).map((p) => [p.step, p.loss])];
    const scoreOf = (one) => [(one?.judged ?? []).map((p) => [p.step, p.accuracy])];
    const sizesOf = (one) => [0, 1].map((k) => (one?.curve ?? []).filter((p) => k < p.sizes.length).map((p) => [p.step, p.sizes[k]]));
    loss.show(lossOf(lab), lossOf(ghost), last);
    right.show(scoreOf(lab), scoreOf(ghost), last);
    if (inside) sizes.show(sizesOf(lab), sizesOf(ghost), last);
    const [hiddenSize, outputSize] = lab?.curve.at(-1)?.sizes ?? [];
    sizeWords.hidden = !inside || !outputSize;
    sizeWords.textContent = sizeWords.hidden ? "" : `Size of the last gradient: hidden layer ${figure(hiddenSize)}, output layer ${figure(outputSize)}, ${figure(outputSize / hiddenSize)} times as large.`;
    drawPictures();
    drawAnswer();
  }

  root.trainDigits = { run, lab: () => lab, ready: prepare }; // for tests and for the curious
  return step.mount({
    el,
    root,
    draw,
    sentence: () => (run.running ? "" : summary()),
    pulled(changed) {
      if (changed.some((name) => name !== "unit" && name !== "image")) reset();
    },
    jobs: [{ cancel: () => run.dispose() }, chooser],
  });
}

export default { render };
