// training_replay.js - training, replayed: a step, a hidden unit, its weights, its gradient, the loss.

import { toArrayBuffer } from "./lib/engine.js";
import { SIDE } from "./lib/mnist.js";
import { LOWERS, PIXELS, RAISES, mix } from "./lib/pictures.js";
import { figure, freshId, h, oncePerFrame, paint, percent, ready, svg } from "./lib/dom.js";

const CLASSES = 10;
const PLAY_MS = 320; // between two snapshots
const WIDE = 640; // the loss curve's own coordinates
const TALL = 170;
const EDGE = { left: 46, right: 14, top: 12, bottom: 26 };

// ---- numbers --------------------------------------------------------------------------------------

const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

function norm(values) {
  let sum = 0;
  for (const v of values) sum += v * v;
  return Math.sqrt(sum);
}

const largest = (values) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);

// ---- the recording --------------------------------------------------------------------------------

/** Undo what TrainingReplay does in Python: zlib, changes from snapshot to snapshot, int8 and scales. */
async function unpackRecording(model) {
  const steps = model.get("_steps");
  const units = model.get("_units");
  const stream = new Blob([toArrayBuffer(model.get("_packed"))])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  const all = new Int8Array(await new Response(stream).arrayBuffer());
  const size = units * PIXELS;
  const w = all.subarray(0, steps.length * size);
  const g = all.subarray(steps.length * size);
  for (let k = size; k < w.length; k++) w[k] += w[k - size]; // int8 wraps around, as it did in Python
  const scales = new Float32Array(toArrayBuffer(model.get("_scales")));
  const outgoing = new Float32Array(toArrayBuffer(model.get("_outgoing")));
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

/** The colour of every level from -127 to 127: orange positive, blue negative, 127 in full. */
const COLOURS = Array.from({ length: 255 }, (_, k) => mix(Math.abs(k - 127) / 127, k > 127 ? RAISES : LOWERS));

function paintLevels(canvas, levels) {
  paint(canvas, SIDE, SIDE, (k) => COLOURS[levels[k] + 127]);
}

/** A large picture with a heading above and figures below. */
function picture(heading) {
  const canvas = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, role: "img", "aria-label": "" });
  const caption = h("figcaption");
  const element = h("figure", { class: "tr-picture" }, h("div", { class: "cw-title" }, heading), canvas, caption);
  return { canvas, caption, element };
}

/** Ten bars to the right and to the left of zero, with their values in text. */
function signedBars() {
  const rows = Array.from({ length: CLASSES }, (_, digit) => {
    const fill = h("span", { class: "tr-fill" });
    const text = h("span", { class: "tr-value" });
    const name = h("span", { class: "tr-name" }, String(digit));
    return { fill, text, row: h("li", {}, name, h("span", { class: "tr-track" }, fill), text) };
  });
  return {
    element: h("ul", { class: "tr-bars", "aria-label": "Weights to the ten classes" }, ...rows.map((r) => r.row)),
    show(values, limit) {
      rows.forEach(({ fill, text }, digit) => {
        fill.style.transform = `scaleX(${limit > 0 ? values[digit] / limit : 0})`;
        fill.classList.toggle("tr-negative", values[digit] < 0);
        text.textContent = values[digit].toFixed(2).replace("-", "−");
      });
    },
  };
}

/** The held-out loss over the steps, both axes logarithmic, with a cursor that `show` moves. */
function lossCurve({ steps, loss }) {
  const log = (step) => Math.log10(1 + step);
  const x = (k) => EDGE.left + ((WIDE - EDGE.left - EDGE.right) * log(steps[k])) / log(steps.at(-1));
  const high = Math.log10(Math.max(...loss) * 1.1);
  const low = Math.log10(Math.min(...loss) / 1.1);
  const yOf = (value) => EDGE.top + ((TALL - EDGE.top - EDGE.bottom) * (high - Math.log10(value))) / (high - low);
  const marks = [];
  for (const value of [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]) {
    if (yOf(value) < EDGE.top || yOf(value) > TALL - EDGE.bottom) continue;
    const y = yOf(value);
    marks.push(svg("line", { class: "tr-grid", x1: EDGE.left, x2: WIDE - EDGE.right, y1: y, y2: y }));
    marks.push(svg("text", { class: "tr-tick", x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, String(value)));
  }
  for (let step = 1; step <= steps.at(-1); step *= 10) {
    const at = EDGE.left + ((WIDE - EDGE.left - EDGE.right) * log(step)) / log(steps.at(-1));
    marks.push(svg("text", { class: "tr-tick", x: at, y: TALL - 6, "text-anchor": "middle" }, grouped(step)));
  }
  const points = steps.map((_, k) => `${x(k).toFixed(1)},${yOf(loss[k]).toFixed(1)}`).join(" ");
  const cursor = svg("line", { class: "tr-cursor", y1: EDGE.top - 6, y2: TALL - EDGE.bottom });
  const dot = svg("circle", { class: "tr-dot", r: 5 });
  const element = svg(
    "svg",
    { viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": "Held-out loss over the steps of training" },
    ...marks,
    svg("polyline", { class: "tr-line", points }),
    cursor,
    dot,
  );
  return {
    element,
    show(k) {
      cursor.setAttribute("x1", x(k));
      cursor.setAttribute("x2", x(k));
      dot.setAttribute("cx", x(k));
      dot.setAttribute("cy", yOf(loss[k]));
    },
  };
}

// ---- the widget -----------------------------------------------------------------------------------

async function render({ model, el }) {
  const tape = await unpackRecording(model);
  const last = tape.steps.length - 1;
  let index = model.get("index");
  let unit = model.get("unit");
  let timer = 0; // of the replay, 0 when it is paused

  // -- elements
  const sliderId = freshId();
  const stepText = h("output", { class: "tr-step", for: sliderId });
  const slider = h("input", {
    type: "range",
    id: sliderId,
    min: 0,
    max: last,
    step: 1,
    value: index,
    oninput: () => {
      pause();
      index = Number(slider.value);
      redraw();
    },
    onchange: () => commit(),
  });
  const play = h("button", { type: "button", class: "cw-button tr-play", onclick: () => (timer ? stop() : start()) });
  const curve = lossCurve(tape);
  const lossText = h("p", { class: "tr-loss" });
  const weights = picture("Incoming weights");
  const gradient = picture("Their gradient");
  const bars = signedBars();
  const barsTitle = h("div", { class: "cw-title" });
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const unitsId = freshId();
  const thumbnails = Array.from({ length: tape.units }, (_, k) => {
    const canvas = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, "aria-hidden": "true" });
    const attributes = { type: "button", class: "cw-thumbnail", "aria-label": `Hidden unit ${k}`, onclick: () => pick(k) };
    return h("button", attributes, canvas);
  });
  const grid = h(
    "div",
    { class: "tr-units", role: "group", "aria-labelledby": unitsId, onkeydown: (event) => walk(event) },
    ...thumbnails,
  );

  const root = h(
    "div",
    { class: "cw tr", role: "group", "aria-label": "Training replayed" },
    h(
      "div",
      { class: "tr-controls" },
      play,
      h("div", { class: "tr-slide" }, h("label", { class: "cw-title", for: sliderId }, "Step of training"), slider),
      stepText,
    ),
    curve.element,
    lossText,
    h(
      "div",
      { class: "tr-main" },
      weights.element,
      gradient.element,
      h("div", { class: "tr-out" }, barsTitle, bars.element),
    ),
    h(
      "p",
      { class: "cw-note" },
      h("span", { class: "tr-raises" }, "Orange"),
      " is positive, ",
      h("span", { class: "tr-lowers" }, "blue"),
      " negative. Weights keep one scale per unit through all steps. The gradient is that of the step’s batch, " +
        "brightened anew at each step; its size is the figure below it. Training moves weights against it.",
    ),
    h("div", { class: "cw-title tr-head", id: unitsId }, "Hidden units: choose one, arrow keys too"),
    grid,
    live,
  );

  // -- what the reader can do
  function start() {
    if (index === last) index = 0;
    timer = setInterval(() => {
      index += 1;
      if (index >= last) stop();
      else redraw();
    }, PLAY_MS);
    draw();
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
  }

  function stop() {
    pause();
    index = Math.min(index, last);
    commit();
  }

  function pick(k) {
    unit = k;
    commit();
  }

  /** Arrow keys walk over the grid of units as it is laid out. */
  function walk(event) {
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const move = { ...moves, Home: -unit, End: tape.units - 1 - unit }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    if (unit + move < 0 || unit + move >= tape.units) return;
    pick(unit + move);
    thumbnails[unit].focus();
  }

  // -- what is shown
  function draw() {
    const began = performance.now();
    slider.value = index;
    slider.setAttribute("aria-valuetext", `step ${grouped(tape.steps[index])} of ${grouped(tape.steps[last])}`);
    stepText.textContent = `${grouped(tape.steps[index])} of ${grouped(tape.steps[last])}`;
    play.textContent = timer ? "Pause" : "Play";
    curve.show(index);
    lossText.replaceChildren(
      "Held-out loss ",
      h("b", {}, tape.loss[index].toFixed(3)),
      " nats, accuracy ",
      h("b", {}, percent(tape.accuracy[index], 1)),
    );
    paintLevels(weights.canvas, tape.weightLevels(index, unit));
    weights.canvas.setAttribute("aria-label", `Incoming weights of unit ${unit}, 28 by 28`);
    weights.caption.replaceChildren("norm ", h("b", { class: "tr-wnorm" }, figure(norm(tape.weights(index, unit)))));
    paintLevels(gradient.canvas, tape.gradientLevels(index, unit));
    gradient.canvas.setAttribute("aria-label", `Gradient of the weights of unit ${unit}, 28 by 28`);
    gradient.caption.replaceChildren("norm ", h("b", { class: "tr-gnorm" }, figure(norm(tape.gradient(index, unit)))));
    barsTitle.textContent = `Outgoing weights of unit ${unit}`;
    bars.show(tape.outgoing(index, unit), tape.outgoingLimit);
    thumbnails.forEach((button, k) => {
      paintLevels(button.firstChild, tape.weightLevels(index, k));
      button.setAttribute("aria-pressed", String(k === unit));
      button.tabIndex = k === unit ? 0 : -1; // one stop for Tab; arrows do the rest
    });
    root.dataset.ms = (performance.now() - began).toFixed(2);
  }
  const redraw = oncePerFrame(draw);

  function sentence() {
    const g = figure(norm(tape.gradient(index, unit)));
    return (
      `Step ${grouped(tape.steps[index])}, unit ${unit}: loss ${tape.loss[index].toFixed(3)}, ` +
      `accuracy ${percent(tape.accuracy[index], 1)}, gradient norm ${g}.`
    );
  }

  // -- in step with Python, and with other views of the same model
  /** The end of a movement: draw at once, tell the model, say it aloud. */
  function commit() {
    redraw.cancel();
    draw();
    live.textContent = sentence();
    model.set("index", index);
    model.set("unit", unit);
    model.save_changes();
  }

  function pull() {
    if (model.get("index") === index && model.get("unit") === unit) return; // our own change
    pause();
    index = model.get("index");
    unit = model.get("unit");
    draw();
    live.textContent = sentence();
  }
  const pullSoon = oncePerFrame(pull); // index and unit arrive one after the other

  model.on("change:index", pullSoon);
  model.on("change:unit", pullSoon);
  draw();
  el.append(root);
  ready(root);

  // for tests and for the curious: document.querySelector(".tr").trainingReplay.weights
  root.trainingReplay = {
    get weights() {
      return tape.weights(index, unit);
    },
    get gradient() {
      return tape.gradient(index, unit);
    },
    get outgoing() {
      return tape.outgoing(index, unit).slice();
    },
  };

  return () => {
    pause();
    model.off("change:index", pullSoon);
    model.off("change:unit", pullSoon);
    root.remove();
    redraw.cancel();
    pullSoon.cancel();
  };
}

export default { render };
