// rank_dial.js - one rank for each layer of a factorised net, which runs truncated in the page.

import { makeNet, softmax, toArrayBuffer } from "./lib/engine.js";
import { digitChooser, idleJob } from "./lib/latent.js";
import { SIDE } from "./lib/mnist.js";
import { LOWERS, PIXELS, RAISES, mix, paintDigit, unpackGrey } from "./lib/pictures.js";
import { freshId, h, oncePerFrame, paint, percent, ready, svg } from "./lib/dom.js";

const CLASSES = 10;
const UNITS = 6; // of the first layer, whose rebuilt weights are shown
const WIDE = 640; // the spectrum's own coordinates
const TALL = 150;
const EDGE = { left: 40, right: 8, top: 10, bottom: 24 };

const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/** Accuracy at `rank`, linear between measured ranks; null outside of them. */
function interpolate(curve, rank) {
  if (rank < curve[0][0] || rank > curve.at(-1)[0]) return null;
  const k = Math.max(1, curve.findIndex(([r]) => r >= rank));
  const [[r0, a0], [r1, a1]] = [curve[k - 1], curve[k]];
  return { accuracy: a0 + ((rank - r0) / (r1 - r0)) * (a1 - a0), measured: rank === r0 || rank === r1 };
}

/** Ten bars with their values in text. */
function probabilityBars() {
  const rows = Array.from({ length: CLASSES }, (_, digit) => {
    const fill = h("span", { class: "rk-fill" });
    const text = h("span", { class: "rk-share" });
    return { fill, text, row: h("li", {}, h("span", {}, String(digit)), h("span", { class: "rk-track" }, fill), text) };
  });
  return {
    element: h("ul", { class: "rk-bars", "aria-label": "Probabilities" }, ...rows.map((r) => r.row)),
    show(p) {
      const best = p.indexOf(Math.max(...p));
      rows.forEach(({ fill, text, row }, digit) => {
        fill.style.transform = `scaleX(${p[digit]})`;
        text.textContent = percent(p[digit]);
        row.classList.toggle("rk-best", digit === best);
      });
      return best;
    },
  };
}

/** The singular values of one layer as bars; those that are kept in full colour. */
function spectrum() {
  const bars = svg("g");
  const ticks = svg("g");
  const element = svg("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, role: "img" }, ticks, bars);
  return {
    element,
    show(values, rank, layer) {
      const step = (WIDE - EDGE.left - EDGE.right) / values.length;
      const tall = TALL - EDGE.top - EDGE.bottom;
      bars.replaceChildren(
        ...values.map((v, k) => {
          const height = (tall * v) / values[0];
          const place = { x: EDGE.left + k * step, y: EDGE.top + tall - height, width: Math.max(1, step - 2), height };
          return svg("rect", { class: k < rank ? "rk-kept" : "rk-cut", ...place });
        }),
      );
      const marks = [1, rank, values.length].filter((v, k, all) => all.indexOf(v) === k);
      ticks.replaceChildren(
        ...marks.map((k) => svg("text", { x: EDGE.left + (k - 0.5) * step, y: TALL - 6, "text-anchor": "middle" }, String(k))),
        svg("text", { x: EDGE.left - 6, y: EDGE.top + 10, "text-anchor": "end" }, values[0].toPrecision(2)),
        svg("text", { x: EDGE.left - 6, y: EDGE.top + tall, "text-anchor": "end" }, "0"),
      );
      let kept = 0;
      let all = 0;
      values.forEach((v, k) => {
        all += v * v;
        if (k < rank) kept += v * v;
      });
      element.setAttribute("aria-label", `Singular values of layer ${layer + 1}; the first ${rank} are kept`);
      return kept / all;
    },
  };
}

async function render({ model, el }) {
  const net = makeNet(model.get("_net"), model.get("_weights"));
  const spectra = model.get("_spectra");
  const curve = model.get("_curve");
  const [fullParameters, fullAccuracy] = model.get("_full");
  const labels = model.get("_judge_labels");
  const judges = await unpackGrey(model.get("_judges"));
  const dense = net.layers.flatMap((layer, k) => (layer.op === "dense" ? [k] : []));
  const pairs = spectra.map((_, i) => [dense[2 * i], dense[2 * i + 1]]);
  const most = net.layers[pairs[0][0]].size;
  let ranks = [...model.get("ranks")];
  let image = new Uint8Array(toArrayBuffer(model.get("image")));
  let probabilities = new Float32Array(CLASSES);
  let shownLayer = 0;
  let hits = 0; // of the judges, and how many have been asked
  let asked = 0;
  const input = new Float32Array(PIXELS);

  /** The net at the chosen ranks: components beyond a layer's rank are zero. */
  function classify(pixels) {
    for (let k = 0; k < PIXELS; k++) input[k] = pixels[k] / 255;
    let x = input;
    net.layers.forEach((layer, k) => {
      layer.run(x, net.activations[k], []);
      x = net.activations[k];
      const pair = pairs.findIndex(([down]) => down === k);
      if (pair >= 0) x.fill(0, ranks[pair]);
    });
    return x;
  }

  function countParameters() {
    let sum = 0;
    dense.forEach((k, place) => {
      const { size } = net.layers[k];
      const inputs = place === 0 ? PIXELS : net.layers[dense[place - 1]].size;
      const pair = pairs.findIndex(([down, up]) => down === k || up === k);
      if (pair < 0) sum += size * inputs + size;
      else if (pairs[pair][0] === k) sum += ranks[pair] * inputs;
      else sum += ranks[pair] * size + size;
    });
    return sum;
  }

  // -- elements
  const allId = freshId();
  const allText = h("output", { class: "rk-rank", for: allId });
  const all = h("input", {
    type: "range",
    id: allId,
    min: 1,
    max: most,
    step: 1,
    oninput: () => change(ranks.map(() => Number(all.value))),
    onchange: () => commit(),
  });
  const each = ranks.map((_, k) => {
    const id = freshId();
    const text = h("output", { class: "rk-one", for: id });
    const slider = h("input", {
      type: "range",
      id,
      min: 1,
      max: most,
      step: 1,
      oninput: () => {
        shownLayer = k;
        change(ranks.map((r, i) => (i === k ? Number(slider.value) : r)));
      },
      onchange: () => commit(),
    });
    return { slider, text, element: h("div", { class: "rk-slide" }, h("label", { for: id }, `Layer ${k + 1}`), text, slider) };
  });
  const parametersText = h("dd");
  const shareText = h("dd");
  const accuracyText = h("dd");
  const hitsText = h("dd", { class: "rk-hits" });
  const original = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, role: "img", "aria-label": "The digit" });
  const bars = probabilityBars();
  const units = Array.from({ length: UNITS }, (_, k) =>
    h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, role: "img", "aria-label": `Rebuilt weights of unit ${k}` }),
  );
  const chart = spectrum();
  const chartTitle = h("div", { class: "cw-title" });
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels: model.get("_example_labels"),
    summary: "Or draw a digit",
    onChoose(picture, ended) {
      image = picture.slice();
      redraw();
      if (ended) commit();
    },
    say: (text) => (live.textContent = text),
  });
  const figure = (term, description) => h("div", {}, h("dt", {}, term), description);
  const root = h(
    "div",
    { class: "cw rk", role: "group", "aria-label": "Rank of each layer" },
    h("div", { class: "rk-slide rk-all" }, h("label", { class: "cw-title", for: allId }, "Rank of every layer"), allText, all),
    h("details", { class: "rk-each" }, h("summary", {}, "One rank for each layer"), ...each.map((e) => e.element)),
    h(
      "dl",
      { class: "rk-figures" },
      figure("Parameters", parametersText),
      figure("Smaller than the full net", shareText),
      figure("Accuracy, all test digits", accuracyText),
      figure(`Right in this page, of ${labels.length}`, hitsText),
    ),
    h(
      "div",
      { class: "rk-main" },
      h("div", {}, h("div", { class: "cw-title" }, "The digit"), original),
      h("div", {}, h("div", { class: "cw-title" }, "The net’s answer at these ranks"), bars.element),
    ),
    h("div", { class: "cw-title rk-head" }, "Test digits: choose one"),
    chooser.thumbnails,
    chooser.section,
    h("div", { class: "cw-title rk-head" }, `Weights of ${UNITS} units of layer 1, rebuilt at its rank`),
    h("div", { class: "cw-tiles" }, ...units),
    chartTitle,
    chart.element,
    live,
  );

  // -- what is shown
  function rebuildUnits() {
    const [down, up] = pairs[0].map((k) => net.layers[k]);
    const rows = up.size;
    units.forEach((canvas, u) => {
      const unit = Math.floor((u * rows) / UNITS);
      const w = new Float32Array(PIXELS);
      for (let k = 0; k < ranks[0]; k++) {
        const factor = up.W[unit * most + k];
        for (let i = 0; i < PIXELS; i++) w[i] += factor * down.W[k * PIXELS + i];
      }
      const limit = w.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1;
      paint(canvas, SIDE, SIDE, (k) => mix(Math.abs(w[k]) / limit, w[k] > 0 ? RAISES : LOWERS));
    });
  }

  function draw() {
    const began = performance.now();
    const uniform = ranks.every((r) => r === ranks[0]);
    all.value = Math.round(ranks.reduce((sum, r) => sum + r, 0) / ranks.length);
    allText.textContent = uniform ? String(ranks[0]) : "mixed";
    all.setAttribute("aria-valuetext", uniform ? `rank ${ranks[0]}` : `ranks ${ranks.join(", ")}`);
    each.forEach(({ slider, text }, k) => {
      slider.value = ranks[k];
      text.textContent = String(ranks[k]);
    });
    const parameters = countParameters();
    parametersText.textContent = grouped(parameters);
    shareText.textContent = `${(fullParameters / parameters).toPrecision(3)} times`;
    const known = uniform ? interpolate(curve, ranks[0]) : null;
    accuracyText.textContent = known
      ? `${known.measured ? "" : "≈ "}${percent(known.accuracy, 1)} (full: ${percent(fullAccuracy, 1)})`
      : "not measured for these ranks";
    const logits = classify(image);
    probabilities = softmax(logits, new Float32Array(CLASSES));
    paintDigit(original, image);
    bars.show([...probabilities]);
    chooser.mark(chooser.find(image));
    rebuildUnits();
    const kept = chart.show(spectra[shownLayer], ranks[shownLayer], shownLayer);
    chartTitle.textContent =
      `Layer ${shownLayer + 1}: singular values; rank ${ranks[shownLayer]} keeps ${percent(kept, 1)} of those shown, squared`;
    root.dataset.ms = (performance.now() - began).toFixed(2);
  }
  const redraw = oncePerFrame(draw);

  // -- the judges, in the browser's idle time
  const count = idleJob(() => {
    const logits = classify(judges.subarray(asked * PIXELS, (asked + 1) * PIXELS));
    hits += logits.indexOf(Math.max(...logits)) === labels[asked] ? 1 : 0;
    asked += 1;
    if (asked === labels.length) {
      hitsText.textContent = String(hits);
      root.dataset.hits = hits;
    }
    return asked < labels.length;
  });

  function recount() {
    hits = asked = 0;
    delete root.dataset.hits;
    hitsText.textContent = "…";
    count.stop();
    count.start();
  }

  function change(values) {
    ranks = values;
    redraw();
    recount();
  }

  function sentence() {
    const best = probabilities.indexOf(Math.max(...probabilities));
    const shown = ranks.every((r) => r === ranks[0]) ? `Rank ${ranks[0]}` : `Ranks ${ranks.join(", ")}`;
    return `${shown}: ${parametersText.textContent} parameters; the digit is read as ${best}, ${percent(probabilities[best])}.`;
  }

  // -- in step with Python, and with other views of the same model
  function commit() {
    redraw.cancel();
    draw();
    live.textContent = sentence();
    model.set("ranks", [...ranks]);
    model.set("image", new DataView(image.slice().buffer));
    model.save_changes();
  }

  function pull() {
    const theirs = model.get("ranks");
    const picture = new Uint8Array(toArrayBuffer(model.get("image")));
    const sameRanks = theirs.every((r, k) => r === ranks[k]);
    if (sameRanks && picture.every((v, k) => v === image[k])) return; // our own change
    image = picture;
    ranks = [...theirs];
    draw();
    if (!sameRanks) recount();
    live.textContent = sentence();
  }
  const pullSoon = oncePerFrame(pull);

  model.on("change:ranks", pullSoon);
  model.on("change:image", pullSoon);
  draw();
  el.append(root);
  recount();
  ready(root);

  // for tests and for the curious: document.querySelector(".rk").rankDial.probabilities
  root.rankDial = {
    get probabilities() {
      return probabilities;
    },
    get parameters() {
      return countParameters();
    },
  };

  return () => {
    count.stop();
    model.off("change:ranks", pullSoon);
    model.off("change:image", pullSoon);
    root.remove();
    redraw.cancel();
    pullSoon.cancel();
  };
}

export default { render };
