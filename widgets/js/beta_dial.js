// beta_dial.js - a slider for beta moves one variational autoencoder along its rate-distortion curve.

import { toBytes, toFloats } from "./lib/bytes.js";
import { chart, corners } from "./lib/chart.js";
import { makeNet, sigmoid } from "./lib/engine.js";
import { rangeField } from "./lib/fields.js";
import { interpolate } from "./lib/numbers.js";
import { normal } from "./lib/random.js";
import { PIXELS, bytesToInk, inkToBytes, paintDigit, tile, unstack } from "./lib/pictures.js";
import { button, freshId, h, setAll, svg } from "./lib/dom.js";
import { inStep } from "./lib/step.js";

const PER_DECADE = 50; // positions of the slider
const BUDGET = 8; // milliseconds a frame for the nets; pictures beyond that wait for the next frame

/** KL divergence in nats of the posterior that `code` = [mu, logvar] describes from the prior. */
function divergence(code) {
  const dimensions = code.length / 2;
  let sum = 0;
  for (let i = 0; i < dimensions; i++) {
    const mu = code[i];
    const logvar = code[dimensions + i];
    sum += 0.5 * (Math.exp(logvar) + mu * mu - 1 - logvar);
  }
  return sum;
}

/** Two significant digits: 0.031, 0.50, 4.0, 30. */
const betaText = (beta) => beta.toPrecision(2);

// ---- the rate-distortion plane --------------------------------------------------------------------

/** An axis that holds `values`: the share of the way along it of a value, and round values to mark. */
function axis(values) {
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= rough);
  const low = least - 0.06 * span;
  const high = least + 1.06 * span;
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) if (k >= 0) ticks.push(Number((k * step).toPrecision(6)));
  return { ticks, shareOf: (value) => (value - low) / (high - low) };
}

/** The plane as SVG; `show(rate, distortion, beta)` moves the dot and the line of slope -beta. */
function ratePlane(curve, dedicated) {
  const all = [...curve, ...dedicated];
  const [rates, distortions] = [axis(all.map((row) => row[1])), axis(all.map((row) => row[2]))];
  const at = ([beta, rate, distortion]) =>
    `rate ${rate.toFixed(1)} and distortion ${distortion.toFixed(1)} nats at beta ${betaText(beta)}`;
  const plot = chart({
    wide: 360,
    tall: 222,
    edge: { left: 34, right: 12, top: 26, bottom: 38 },
    className: "bt-plane",
    label: `Rate-distortion plane. The measured curve runs from ${at(curve[0])} to ${at(curve.at(-1))}.`,
  });
  const xOf = (rate) => plot.x(rates.shareOf(rate));
  const yOf = (distortion) => plot.y(distortions.shareOf(distortion));
  const spots = (rows) => rows.map((row) => [xOf(row[1]), yOf(row[2])]);
  const clipId = freshId();
  const slope = svg("line", { class: "bt-slope", "clip-path": `url(#${clipId})` });
  const dot = svg("circle", { class: "bt-dot", r: 7 });
  const { left, right, top, bottom } = plot;
  plot.element.append(
    svg("clipPath", { id: clipId }, svg("rect", { x: left, y: top, width: right - left, height: bottom - top })),
    ...rates.ticks.flatMap((v) => [plot.upright(xOf(v)), plot.text(String(v), xOf(v), bottom + 16, "middle")]),
    ...distortions.ticks.flatMap((v) => [plot.across(yOf(v)), plot.beside(yOf(v), String(v))]),
    plot.text("Rate (KL), nats", right, 217, "end"),
    plot.text("Distortion (reconstruction), nats", 0, 13, "start"),
    svg("polyline", { class: "bt-curve", points: corners(spots(curve)) }),
    ...spots(curve).map(([cx, cy]) => svg("circle", { class: "bt-measured", r: 2.5, cx, cy })),
    slope,
    ...spots(dedicated).map(([x, y], k) => {
      const title = svg("title", {}, `A model trained for beta ${betaText(dedicated[k][0])} only`);
      return svg("path", { class: "bt-dedicated", d: `M${x} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z` }, title);
    }),
    dot,
  );
  function show(rate, distortion, beta) {
    const [cx, cy] = [xOf(rate), yOf(distortion)];
    const [dx, dy] = [xOf(rate + 1) - cx, yOf(distortion - beta) - cy]; // one nat of rate costs beta nats of distortion
    const share = 58 / Math.hypot(dx, dy);
    setAll(dot, { cx: cx.toFixed(2), cy: cy.toFixed(2) });
    const ends = { x1: cx - share * dx, y1: cy - share * dy, x2: cx + share * dx, y2: cy + share * dy };
    setAll(slope, Object.fromEntries(Object.entries(ends).map(([name, value]) => [name, value.toFixed(2)])));
  }
  return { element: plot.element, show };
}

/** The marks of the plane in words. */
function planeKey(withDedicated) {
  const mark = (shape, words) =>
    h("li", {}, svg("svg", { viewBox: "-9 -9 18 18", "aria-hidden": "true" }, shape), words);
  return h(
    "ul",
    { class: "bt-key", "aria-label": "Marks of the rate-distortion plane" },
    mark(svg("circle", { class: "bt-dot", r: 6 }), "the slider’s β"),
    mark(svg("circle", { class: "bt-measured", r: 3.5 }), "this model, measured"),
    ...(withDedicated ? [mark(svg("path", { class: "bt-dedicated", d: "M0 -6l6 6l-6 6l-6 -6z" }), "one model per β")] : []),
    mark(svg("line", { class: "bt-slope", x1: -9, y1: -6, x2: 9, y2: 6 }), "slope −β"),
  );
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const encoder = makeNet(model.get("_encoder"));
  const decoder = makeNet(model.get("_decoder"));
  const images = unstack(toBytes(model.get("_examples")));
  const labels = model.get("_example_labels");
  const curve = model.get("_curve");
  const [least, most] = [curve[0][0], curve.at(-1)[0]];
  const dedicated = model.get("_dedicated");
  const inputs = images.map(bytesToInk);
  const step = inStep(model, ["beta", "_z"]);
  const { state } = step;
  const rates = new Float64Array(labels.length); // of the examples, in nats
  const reconstructions = labels.map(() => new Float32Array(PIXELS)); // pixels in 0-1
  const samples = labels.map(() => new Float32Array(PIXELS));
  let z = toFloats(state._z);

  // -- elements
  const slider = rangeField({
    name: "β, the weight of the rate",
    min: least,
    max: most,
    perDecade: PER_DECADE,
    text: betaText,
    spoken: (beta) => `beta ${betaText(beta)}`,
    onInput: (beta) => refresh({ beta }),
    onChange: () => step.commit({}, ["beta"]),
    classes: { output: "bt-beta", input: "bt-slider" },
  });
  const marks = [];
  for (let power = -6; power <= 6; power++) {
    for (const digit of [1, 3]) {
      const value = digit * 10 ** power;
      if (value < least * 0.999 || value > most * 1.001) continue;
      const { min, max } = slider.input;
      const share = (PER_DECADE * Math.log10(value) - min) / (max - min);
      marks.push(h("span", { style: `left: ${(100 * share).toFixed(2)}%` }, String(Number(value.toPrecision(1)))));
    }
  }
  const plane = ratePlane(curve, dedicated);
  const figures = ["Rate", "Distortion", "Sum (−ELBO)"].map((name) => ({ name, value: h("dd") }));
  const source = h("p", { class: "bt-source" });
  const originalTiles = labels.map(tile);
  const exampleTiles = labels.map(tile);
  const sampleTiles = labels.map(tile);
  originalTiles.forEach(({ canvas, caption }, k) => {
    paintDigit(canvas, images[k]);
    canvas.setAttribute("aria-label", `Test digit ${k + 1}, labelled ${labels[k]}`);
    caption.remove();
    exampleTiles[k].canvas.setAttribute("aria-label", `Reconstruction of test digit ${k + 1}`);
    sampleTiles[k].canvas.setAttribute("aria-label", `Sample ${k + 1} from the prior`);
    sampleTiles[k].caption.remove();
  });
  const row = (tiles) =>
    h("div", { class: "bt-row", style: `--bt-columns: ${labels.length}` }, ...tiles.map((t) => t.element));

  const root = h(
    "div",
    { class: "cw bt", role: "group", "aria-label": "Beta, rate and distortion" },
    h("div", { class: "bt-head" }, slider.label, slider.output),
    h("div", { class: "bt-scale" }, slider.input, h("div", { class: "bt-marks", "aria-hidden": "true" }, ...marks)),
    h(
      "div",
      { class: "bt-main" },
      plane.element,
      h(
        "div",
        { class: "bt-side" },
        h("dl", { class: "bt-figures" }, ...figures.map(({ name, value }) => h("div", {}, h("dt", {}, name), value))),
        source,
        planeKey(dedicated.length > 0),
      ),
    ),
    h(
      "div",
      { class: "bt-name" },
      h("p", {}, h("b", {}, "Test digits"), ", reconstructed from the posterior mean; each one’s rate in nats"),
    ),
    row(originalTiles),
    row(exampleTiles),
    h(
      "div",
      { class: "bt-name" },
      h("p", {}, h("b", {}, "Samples"), " from the prior, the same z at every β"),
      button("New samples", () => drawCodes()),
    ),
    row(sampleTiles),
  );

  // -- the pictures
  const condition = () => Float32Array.of(Math.log10(state.beta)); // what the nets are told about beta

  function decodeInto(pixels, code, canvas) {
    const logits = decoder.forward(code, condition());
    for (let i = 0; i < PIXELS; i++) pixels[i] = sigmoid(logits[i]);
    paintDigit(canvas, inkToBytes(pixels));
  }

  function reconstruct(k) {
    const code = encoder.forward(inputs[k], condition());
    rates[k] = divergence(code);
    exampleTiles[k].caption.textContent = rates[k].toFixed(1);
    decodeInto(reconstructions[k], code.subarray(0, code.length / 2), exampleTiles[k].canvas);
  }

  function sample(k) {
    decodeInto(samples[k], z.subarray(k * decoder.input, (k + 1) * decoder.input), sampleTiles[k].canvas);
  }

  // One picture after the other, in a ring: while beta moves, none of them falls behind the others.
  const pictures = labels.flatMap((_, k) => [() => reconstruct(k), () => sample(k)]);
  let next = 0;
  let outdated = pictures.length;

  function refresh(values) {
    outdated = pictures.length;
    step.change(values);
  }

  function draw() {
    const end = performance.now() + BUDGET;
    const { beta } = state;
    const [rate, distortion] = interpolate(curve, beta, Math.log);
    slider.show(beta);
    [rate, distortion, rate + distortion].forEach((v, k) => (figures[k].value.textContent = `${v.toFixed(1)} nats`));
    source.textContent = isMeasured() ? "Test set, measured at this β." : "Test set, interpolated between measured β.";
    plane.show(rate, distortion, beta);
    while (outdated > 0 && performance.now() < end) {
      pictures[next]();
      next = (next + 1) % pictures.length;
      outdated -= 1;
    }
    root.dataset.outdated = outdated;
    if (outdated > 0) step.change();
  }

  const isMeasured = () => curve.some(([beta]) => Math.abs(Math.log(beta / state.beta)) < 1e-6);

  function sentence() {
    const [rate, distortion] = interpolate(curve, state.beta, Math.log).map((v) => v.toFixed(1));
    const how = isMeasured() ? "measured" : "interpolated";
    return `Beta ${betaText(state.beta)}: rate ${rate} nats, distortion ${distortion} nats, ${how} on the test set.`;
  }

  function drawCodes() {
    z = z.map(() => normal());
    refresh({ _z: toBytes(z) });
    step.commit({}, ["_z"]);
    step.say("New samples from the prior.");
  }

  // for tests and for the curious: document.querySelector(".bt").betaDial.rates
  root.betaDial = {
    get beta() {
      return state.beta;
    },
    rates,
    reconstructions,
    samples,
  };

  return step.mount({
    el,
    root,
    draw,
    sentence,
    pulled() {
      z = toFloats(state._z);
      refresh();
    },
  });
}

export default { render };
