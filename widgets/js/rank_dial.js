// rank_dial.js - one rank for each layer of a factorised net, which runs truncated in the page.

import { digitBars } from "./lib/bars.js";
import { chart } from "./lib/chart.js";
import { digitChooser } from "./lib/chooser.js";
import { makeNet, softmax } from "./lib/engine.js";
import { rangeField } from "./lib/fields.js";
import { grouped, interpolate, percent } from "./lib/numbers.js";
import { PIXELS, digitCanvas, paintDigit, paintWeights, unpackGrey, unstack } from "./lib/pictures.js";
import { h, svg, title } from "./lib/dom.js";
import { presetRow } from "./lib/presets.js";
import { inStep, whenIdle } from "./lib/step.js";

const CLASSES = 10;
const UNITS = 6; // of the first layer, whose rebuilt weights are shown

/** How much the components of one layer vary, as bars; those that are kept in full colour. */
function spectrum() {
  const bars = svg("g");
  const marks = svg("g");
  const plot = chart({ wide: 640, tall: 150, edge: { left: 40, right: 8, top: 10, bottom: 24 } }, marks, bars);
  return {
    element: plot.element,
    show(values, rank, layer) {
      const step = plot.x(1 / values.length) - plot.left;
      bars.replaceChildren(
        ...values.map((v, k) => {
          const y = plot.y(v / values[0]);
          const place = { x: plot.left + k * step, y, width: Math.max(1, step - 2), height: plot.bottom - y };
          return svg("rect", { class: k < rank ? "rk-kept" : "rk-cut", ...place });
        }),
      );
      const marked = [1, rank, values.length].filter((v, k, all) => all.indexOf(v) === k);
      marks.replaceChildren(
        ...marked.map((k) => plot.below(plot.left + (k - 0.5) * step, String(k))),
        plot.beside(plot.top + 6, values[0].toPrecision(2)),
        plot.beside(plot.bottom - 4, "0"),
      );
      plot.element.setAttribute("aria-label", `Spread of the components of layer ${layer + 1}; the first ${rank} are kept`);
    },
  };
}

/** The share of the sum of squares `total` that a rank keeps. */
const keptShare = (values, rank, total) => values.slice(0, rank).reduce((sum, v) => sum + v * v, 0) / total;

async function render({ model, el }) {
  const net = makeNet(model.get("_net"));
  const spectra = model.get("_spectra");
  const curve = model.get("_curve");
  const [fullParameters, fullAccuracy] = model.get("_full");
  const totals = model.get("_totals");
  const presets = model.get("_presets");
  const examples = model.get("_example_labels");
  const labels = model.get("_judge_labels");
  const judges = unstack(await unpackGrey(model.get("_judges")));
  const dense = net.layers.flatMap((layer, k) => (layer.op === "dense" ? [k] : []));
  const pairs = spectra.map((_, i) => [dense[2 * i], dense[2 * i + 1]]);
  const most = net.layers[pairs[0][0]].size;
  const step = inStep(model, ["ranks", "image"]);
  const { state } = step;
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
      if (pair >= 0) x.fill(0, state.ranks[pair]);
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
      else if (pairs[pair][0] === k) sum += state.ranks[pair] * inputs;
      else sum += state.ranks[pair] * size + size;
    });
    return sum;
  }

  // -- elements
  const slider = { min: 1, max: most, step: 1, onChange: () => step.commit() };
  const uniform = () => state.ranks.every((r) => r === state.ranks[0]);
  const all = rangeField({
    ...slider,
    name: "Rank of every layer",
    text: (rank) => (uniform() ? String(rank) : "mixed"),
    spoken: (rank) => (uniform() ? `rank ${rank}` : `ranks ${state.ranks.join(", ")}`),
    onInput: (rank) => change(state.ranks.map(() => rank)),
    classes: { field: "rk-all", output: "rk-rank" },
  });
  const each = state.ranks.map((_, k) =>
    rangeField({
      ...slider,
      name: `Layer ${k + 1}`,
      onInput(rank) {
        shownLayer = k;
        change(state.ranks.map((r, i) => (i === k ? rank : r)));
      },
      classes: { label: "" },
    }),
  );
  const cases = presetRow(
    presets,
    ({ ranks }) => {
      step.commit({ ranks: [...ranks] });
      recount();
    },
    { none: "Ranks of your own." },
  );
  const story = h("p", { class: "rk-story" });
  const parametersText = h("dd");
  const shareText = h("dd");
  const accuracyText = h("dd");
  const hitsText = h("dd", { class: "rk-hits" });
  const original = digitCanvas("The digit");
  const bars = digitBars({ prefix: "rk", valueClass: "rk-share", label: "Probabilities" });
  const units = Array.from({ length: UNITS }, (_, k) => digitCanvas(`Rebuilt weights of unit ${k}`));
  const chartTitle = title("");
  const values = spectrum();
  const chooser = digitChooser({
    examples: model.get("_examples"),
    labels: examples,
    summary: "Or draw a digit",
    onChoose: (image, ended) => (ended ? step.commit({ image }) : step.change({ image })),
    say: step.say,
  });
  const figure = (term, description) => h("div", {}, h("dt", {}, term), description);
  const root = h(
    "div",
    { class: "cw rk", role: "group", "aria-label": "Rank of each layer" },
    cases.element,
    all.element,
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
      h("div", {}, title("The digit"), original),
      h("div", {}, title("The net’s answer at these ranks"), bars.element),
    ),
    story,
    title("Test digits: choose one", "rk-head"),
    chooser.thumbnails,
    chooser.section,
    title(`Weights of ${UNITS} units of layer 1, rebuilt at its rank`, "rk-head"),
    h("div", { class: "cw-tiles" }, ...units),
    chartTitle,
    values.element,
  );

  // -- what is shown
  function rebuildUnits() {
    const [down, up] = pairs[0].map((k) => net.layers[k]);
    const rows = up.size;
    units.forEach((canvas, u) => {
      const unit = Math.floor((u * rows) / UNITS);
      const w = new Float32Array(PIXELS);
      for (let k = 0; k < state.ranks[0]; k++) {
        const factor = up.W[unit * most + k];
        for (let i = 0; i < PIXELS; i++) w[i] += factor * down.W[k * PIXELS + i];
      }
      paintWeights(canvas, w);
    });
  }

  const preset = () => presets.find(({ ranks }) => String(ranks) === String(state.ranks));

  /** The accuracy of a preset; where all layers have one rank, measured or between two measured ones. */
  function accuracy() {
    const [rank] = state.ranks;
    const known = preset()?.accuracy;
    if (known) return `${percent(known, 1)} (full: ${percent(fullAccuracy, 1)})`;
    if (!uniform() || rank < curve[0][0] || rank > curve.at(-1)[0]) return "not measured for these ranks";
    const measured = curve.some(([r]) => r === rank);
    return `${measured ? "" : "≈ "}${percent(interpolate(curve, rank)[0], 1)} (full: ${percent(fullAccuracy, 1)})`;
  }

  function draw() {
    const { ranks, image } = state;
    all.show(Math.round(ranks.reduce((sum, r) => sum + r, 0) / ranks.length));
    each.forEach((one, k) => one.show(ranks[k]));
    const parameters = countParameters();
    parametersText.textContent = grouped(parameters);
    shareText.textContent = `${(fullParameters / parameters).toPrecision(3)} times`;
    accuracyText.textContent = accuracy();
    probabilities = softmax(classify(image));
    paintDigit(original, image);
    const shares = [...probabilities];
    bars.show(shares, shares.map((p) => percent(p)), { "cw-best": shares.indexOf(Math.max(...shares)) });
    chooser.mark(chooser.find(image));
    cases.show(preset());
    story.textContent = sentence();
    rebuildUnits();
    const rank = ranks[shownLayer];
    values.show(spectra[shownLayer], rank, shownLayer);
    chartTitle.textContent =
      `Layer ${shownLayer + 1}: spread (standard deviation) of the outputs along each component; ` +
      `rank ${rank} keeps ${percent(keptShare(spectra[shownLayer], rank, totals[shownLayer]), 1)} of their variance`;
  }

  // -- the judges, in the browser's idle time
  const count = whenIdle(() => {
    const logits = classify(judges[asked]);
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
    count.cancel();
    count();
  }

  function change(ranks) {
    step.change({ ranks });
    recount();
  }

  function sentence() {
    const best = probabilities.indexOf(Math.max(...probabilities));
    const shown = uniform() ? `Rank ${state.ranks[0]}` : `Ranks ${state.ranks.join(", ")}`;
    const known = examples[chooser.find(state.image)];
    const digit = known === undefined ? "the drawing" : `this ${known}`;
    const verdict = known === undefined || known === best ? "" : ", which is wrong";
    return `${shown}, ${parametersText.textContent} parameters: ${digit} is read as ${best} (${percent(probabilities[best])})${verdict}.`;
  }

  // for tests and for the curious: document.querySelector(".rk").rankDial.probabilities
  root.rankDial = {
    get probabilities() {
      return probabilities;
    },
    get parameters() {
      return countParameters();
    },
  };

  recount();
  return step.mount({
    el,
    root,
    draw,
    sentence,
    pulled: (changed) => changed.includes("ranks") && recount(),
    jobs: [count, chooser],
  });
}

export default { render };
