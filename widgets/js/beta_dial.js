// beta_dial.js - a slider for beta moves one variational autoencoder along its rate-distortion curve.

import { makeNet, toArrayBuffer } from "./lib/engine.js";
import { normal } from "./lib/random.js";
import { PIXELS, paintDigit, tile } from "./lib/pictures.js";
import { freshId, h, oncePerFrame, ready, svg } from "./lib/dom.js";

const PER_DECADE = 50; // positions of the slider
const BUDGET = 8; // milliseconds a frame for the nets; pictures beyond that wait for the next frame

// ---- arithmetic -----------------------------------------------------------------------------------

/** What the nets are told about beta. */
function betaToCondition(beta) {
  return Float32Array.of(Math.log10(beta));
}

/** [rate, distortion] at `beta`: interpolated linearly in log(beta) between measured rows. */
function interpolateCurve(curve, beta) {
  let k = 1;
  while (k < curve.length - 1 && curve[k][0] < beta) k++;
  const [[beta0, ...from], [beta1, ...to]] = [curve[k - 1], curve[k]];
  const share = Math.log(beta / beta0) / Math.log(beta1 / beta0);
  return from.map((value, i) => value + share * (to[i] - value));
}

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
function betaText(beta) {
  return beta.toPrecision(2);
}

// ---- the rate-distortion plane --------------------------------------------------------------------

const WIDTH = 360;
const HEIGHT = 222;
const EDGE = { left: 34, right: 12, top: 26, bottom: 38 };

/** An axis: where a value lies between two ends on the screen, and round values to mark. */
function axis(values, start, end) {
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= rough);
  const low = least - 0.06 * span;
  const high = least + 1.06 * span;
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) if (k >= 0) ticks.push(Number((k * step).toPrecision(6)));
  const scale = (end - start) / (high - low);
  return { ticks, scale, place: (value) => start + (value - low) * scale };
}

/** The plane as SVG; `show(rate, distortion, beta)` moves the dot and the line of slope -beta. */
function ratePlane(curve, dedicated) {
  const all = [...curve, ...dedicated];
  const x = axis(all.map((row) => row[1]), EDGE.left, WIDTH - EDGE.right);
  const y = axis(all.map((row) => row[2]), HEIGHT - EDGE.bottom, EDGE.top);
  const spot = ([, rate, distortion]) => [x.place(rate), y.place(distortion)];
  const text = (content, attributes) => svg("text", attributes, content);
  const clipId = freshId();
  const slope = svg("line", { class: "bt-slope", "clip-path": `url(#${clipId})` });
  const dot = svg("circle", { class: "bt-dot", r: 7 });
  const bottom = HEIGHT - EDGE.bottom;
  const right = WIDTH - EDGE.right;
  const at = ([beta, rate, distortion]) =>
    `rate ${rate.toFixed(1)} and distortion ${distortion.toFixed(1)} nats at beta ${betaText(beta)}`;
  const element = svg(
    "svg",
    {
      class: "bt-plane",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `Rate-distortion plane. The measured curve runs from ${at(curve[0])} to ${at(curve[curve.length - 1])}.`,
    },
    svg("clipPath", { id: clipId }, svg("rect", { x: EDGE.left, y: EDGE.top, width: right - EDGE.left, height: bottom - EDGE.top })),
    ...x.ticks.flatMap((v) => [
      svg("line", { class: "bt-grid", x1: x.place(v), x2: x.place(v), y1: EDGE.top, y2: bottom }),
      text(String(v), { x: x.place(v), y: bottom + 16, "text-anchor": "middle" }),
    ]),
    ...y.ticks.flatMap((v) => [
      svg("line", { class: "bt-grid", x1: EDGE.left, x2: right, y1: y.place(v), y2: y.place(v) }),
      text(String(v), { x: EDGE.left - 7, y: y.place(v) + 4, "text-anchor": "end" }),
    ]),
    text("Rate (KL), nats", { x: right, y: HEIGHT - 5, "text-anchor": "end" }),
    text("Distortion (reconstruction), nats", { x: 0, y: 13 }),
    svg("polyline", { class: "bt-curve", points: curve.map((row) => spot(row).join()).join(" ") }),
    ...curve.map((row) => svg("circle", { class: "bt-measured", r: 2.5, cx: spot(row)[0], cy: spot(row)[1] })),
    slope,
    ...dedicated.map((row) => {
      const [cx, cy] = spot(row);
      const title = svg("title", {}, `A model trained for beta ${betaText(row[0])} only`);
      return svg("path", { class: "bt-dedicated", d: `M${cx} ${cy - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z` }, title);
    }),
    dot,
  );
  function show(rate, distortion, beta) {
    const [cx, cy] = spot([beta, rate, distortion]);
    const [dx, dy] = [x.scale, -beta * y.scale]; // one nat of rate costs beta nats of distortion
    const share = 58 / Math.hypot(dx, dy);
    for (const [name, value] of Object.entries({ cx, cy })) dot.setAttribute(name, value.toFixed(2));
    const ends = { x1: cx - share * dx, y1: cy - share * dy, x2: cx + share * dx, y2: cy + share * dy };
    for (const [name, value] of Object.entries(ends)) slope.setAttribute(name, value.toFixed(2));
  }
  return { element, show };
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
  const encoder = makeNet(model.get("_encoder_net"), model.get("_encoder_weights"));
  const decoder = makeNet(model.get("_decoder_net"), model.get("_decoder_weights"));
  const examples = new Uint8Array(toArrayBuffer(model.get("_examples")));
  const labels = model.get("_example_labels");
  const curve = model.get("_curve");
  const [least, most] = [curve[0][0], curve[curve.length - 1][0]];
  const dedicated = model.get("_dedicated");
  const inputs = labels.map((_, k) => Float32Array.from(examples.subarray(k * PIXELS, (k + 1) * PIXELS), (v) => v / 255));

  let beta = model.get("beta");
  let z = readCodes();
  const rates = new Float64Array(labels.length); // of the examples, in nats
  const reconstructions = labels.map(() => new Float32Array(PIXELS)); // pixels in 0-1
  const samples = labels.map(() => new Float32Array(PIXELS));

  function readCodes() {
    return new Float32Array(toArrayBuffer(model.get("_z")));
  }

  // -- elements
  const sliderId = freshId();
  const slider = h("input", {
    type: "range",
    id: sliderId,
    class: "bt-slider",
    min: Math.floor(PER_DECADE * Math.log10(least)),
    max: Math.ceil(PER_DECADE * Math.log10(most)),
    step: 1,
    oninput: () => {
      beta = Math.min(most, Math.max(least, 10 ** (Number(slider.value) / PER_DECADE)));
      refresh();
    },
    onchange: () => commit(),
  });
  const marks = [];
  for (let power = -6; power <= 6; power++) {
    for (const digit of [1, 3]) {
      const value = digit * 10 ** power;
      if (value < least * 0.999 || value > most * 1.001) continue;
      const share = (PER_DECADE * Math.log10(value) - slider.min) / (slider.max - slider.min);
      marks.push(h("span", { style: `left: ${(100 * share).toFixed(2)}%` }, String(Number(value.toPrecision(1)))));
    }
  }
  const value = h("span", { class: "bt-beta", "aria-hidden": "true" }); // in words it is the slider's
  const plane = ratePlane(curve, dedicated);
  const rateText = h("dd");
  const distortionText = h("dd");
  const sumText = h("dd");
  const source = h("p", { class: "bt-source" });
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const originalTiles = labels.map(tile);
  const exampleTiles = labels.map(tile);
  const sampleTiles = labels.map(tile);
  originalTiles.forEach(({ canvas, caption }, k) => {
    paintDigit(canvas, examples.subarray(k * PIXELS, (k + 1) * PIXELS));
    canvas.setAttribute("aria-label", `Test digit ${k + 1}, labelled ${labels[k]}`);
    caption.remove();
    exampleTiles[k].canvas.setAttribute("aria-label", `Reconstruction of test digit ${k + 1}`);
    sampleTiles[k].canvas.setAttribute("aria-label", `Sample ${k + 1} from the prior`);
    sampleTiles[k].caption.remove();
  });
  const row = (tiles) =>
    h("div", { class: "bt-row", style: `--bt-columns: ${labels.length}` }, ...tiles.map((t) => t.element));
  const newButton = h("button", { type: "button", class: "cw-button", onclick: () => drawCodes() }, "New samples");

  const root = h(
    "div",
    { class: "cw bt", role: "group", "aria-label": "Beta, rate and distortion" },
    h(
      "div",
      { class: "bt-head" },
      h("label", { for: sliderId, class: "cw-title" }, "β, the weight of the rate"),
      value,
    ),
    h("div", { class: "bt-scale" }, slider, h("div", { class: "bt-marks", "aria-hidden": "true" }, ...marks)),
    h(
      "div",
      { class: "bt-main" },
      plane.element,
      h(
        "div",
        { class: "bt-side" },
        h(
          "dl",
          { class: "bt-figures" },
          h("div", {}, h("dt", {}, "Rate"), rateText),
          h("div", {}, h("dt", {}, "Distortion"), distortionText),
          h("div", {}, h("dt", {}, "Sum (−ELBO)"), sumText),
        ),
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
    h("div", { class: "bt-name" }, h("p", {}, h("b", {}, "Samples"), " from the prior, the same z at every β"), newButton),
    row(sampleTiles),
    live,
  );

  // -- the pictures
  function decodeInto(pixels, code, canvas) {
    const logits = decoder.forward(code, betaToCondition(beta));
    for (let i = 0; i < PIXELS; i++) pixels[i] = 1 / (1 + Math.exp(-logits[i]));
    paintDigit(canvas, pixels.map((v) => 255 * v));
  }

  function reconstruct(k) {
    const code = encoder.forward(inputs[k], betaToCondition(beta));
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

  function draw() {
    const start = performance.now();
    const [rate, distortion] = interpolateCurve(curve, beta);
    slider.value = PER_DECADE * Math.log10(beta);
    slider.setAttribute("aria-valuetext", `beta ${betaText(beta)}`);
    value.textContent = betaText(beta);
    rateText.textContent = `${rate.toFixed(1)} nats`;
    distortionText.textContent = `${distortion.toFixed(1)} nats`;
    sumText.textContent = `${(rate + distortion).toFixed(1)} nats`;
    source.textContent = isMeasured() ? "Test set, measured at this β." : "Test set, interpolated between measured β.";
    plane.show(rate, distortion, beta);
    while (outdated > 0 && performance.now() - start < BUDGET) {
      pictures[next]();
      next = (next + 1) % pictures.length;
      outdated -= 1;
    }
    root.dataset.ms = (performance.now() - start).toFixed(2);
    root.dataset.outdated = outdated;
    if (outdated > 0) drawSoon();
  }
  const drawSoon = oncePerFrame(draw);

  function refresh() {
    outdated = pictures.length;
    drawSoon();
  }

  function isMeasured() {
    return curve.some((measured) => Math.abs(Math.log(measured[0] / beta)) < 1e-6);
  }

  function sentence() {
    const [rate, distortion] = interpolateCurve(curve, beta).map((v) => v.toFixed(1));
    const how = isMeasured() ? "measured" : "interpolated";
    return `Beta ${betaText(beta)}: rate ${rate} nats, distortion ${distortion} nats, ${how} on the test set.`;
  }

  // -- in step with Python, and with other views of the same model
  function commit() {
    live.textContent = sentence();
    model.set("beta", beta);
    model.save_changes();
  }

  function drawCodes() {
    z = Float32Array.from({ length: z.length }, () => normal());
    refresh();
    live.textContent = "New samples from the prior.";
    model.set("_z", new DataView(z.slice().buffer));
    model.save_changes();
  }

  function pull() {
    const codes = readCodes();
    if (model.get("beta") === beta && codes.every((v, i) => v === z[i])) return; // our own change
    const moved = model.get("beta") !== beta;
    beta = model.get("beta");
    z = codes;
    refresh();
    if (moved) live.textContent = sentence();
  }

  model.on("change:beta", pull);
  model.on("change:_z", pull);
  el.append(root);
  draw();
  ready(root);

  // for tests and for the curious: document.querySelector(".bt").betaDial.rates
  root.betaDial = {
    get beta() {
      return beta;
    },
    rates,
    reconstructions,
    samples,
  };

  return () => {
    model.off("change:beta", pull);
    model.off("change:_z", pull);
    root.remove();
    drawSoon.cancel();
  };
}

export default { render };
