// draw_digit.js - draw a digit, and a small net in the page says which one it is.

import { digitBars } from "./lib/bars.js";
import { digitThumbnails } from "./lib/chooser.js";
import { makeNet, softmax } from "./lib/engine.js";
import { rangeField } from "./lib/fields.js";
import { rasterToDigit, strokesToDigit } from "./lib/mnist.js";
import { drawingArea } from "./lib/drawing.js";
import { minus, percent } from "./lib/numbers.js";
import { PIXELS, bytesToInk, digitCanvas, inkToBytes, paintDigit, paintWeights, tile, unpackGrey } from "./lib/pictures.js";
import { button, h, title } from "./lib/dom.js";
import { inStep } from "./lib/step.js";

const N_NEAREST = 5;
const N_UNITS = 6;

/** The digits in the order of their probability. */
function ranking(probabilities) {
  return [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
}

// ---- nearest training digits ----------------------------------------------------------------------

/** The `count` pictures of `pixels` nearest to `image`: [{ index, distance }], pixels counted 0-1. */
function nearest(image, pixels, count) {
  const found = [];
  for (let start = 0, index = 0; start < pixels.length; start += PIXELS, index++) {
    let sum = 0;
    for (let k = 0; k < PIXELS; k++) {
      const difference = image[k] - pixels[start + k];
      sum += difference * difference;
    }
    found.push({ index, distance: Math.sqrt(sum) / 255 });
  }
  return found.sort((a, b) => a.distance - b.distance).slice(0, count);
}

/** A closed section "Nearest training digits"; the pictures are unpacked when it is first opened. */
function neighbourSection(model, redraw) {
  const labels = model.get("_neighbour_labels");
  const tiles = Array.from({ length: N_NEAREST }, tile);
  const text = h("p", { class: "cw-note" }, "Unpacking …");
  const section = h(
    "details",
    {},
    h("summary", {}, "Nearest training digits"),
    h("div", { class: "cw-tiles cw-one-row" }, ...tiles.map((t) => t.element)),
    text,
  );
  let pixels = null;
  let asked = false;
  section.addEventListener("toggle", () => {
    redraw();
    if (asked || !section.open) return;
    asked = true;
    unpackGrey(model.get("_neighbours")).then(
      (result) => {
        pixels = result;
        redraw();
      },
      () => (text.textContent = "This browser cannot unpack the training digits."),
    );
  });
  function show(image, empty) {
    if (!section.open || !pixels) return;
    const found = empty ? [] : nearest(image, pixels, N_NEAREST);
    tiles.forEach(({ canvas, caption }, i) => {
      const hit = found[i];
      paintDigit(canvas, hit ? pixels.subarray(hit.index * PIXELS, (hit.index + 1) * PIXELS) : new Uint8Array(PIXELS));
      canvas.setAttribute("aria-label", hit ? `Training digit labelled ${labels[hit.index]}` : "No picture");
      caption.replaceChildren(
        h("b", {}, hit ? String(labels[hit.index]) : "–"),
        hit ? ` at ${hit.distance.toFixed(1)}` : "",
      );
    });
    text.textContent =
      `Of ${labels.length} training digits, those whose pixels differ least: label, and distance ` +
      "(the root of the summed squares). No net is involved.";
  }
  return { section, show };
}

// ---- the first layer ------------------------------------------------------------------------------

/** A closed section with the weights of the first layer's most active units. */
function layerSection(net, redraw) {
  const tiles = Array.from({ length: N_UNITS }, tile);
  const first = net.layers[0];
  // what the units hand on: after the activation, if one follows
  const output = net.activations[net.layers[1] && net.layers[1].op !== "dense" ? 1 : 0];
  const section = h(
    "details",
    {},
    h("summary", {}, "What the first layer responds to"),
    h("div", { class: "cw-tiles" }, ...tiles.map((t) => t.element)),
    h(
      "p",
      { class: "cw-note" },
      `The ${N_UNITS} of ${first.size} units that respond most, each as a picture of its ${PIXELS} weights: ink on `,
      h("span", { class: "cw-raises" }, "orange"),
      " pixels raises the unit, ink on ",
      h("span", { class: "cw-lowers" }, "blue"),
      " ones lowers it.",
    ),
  );
  section.addEventListener("toggle", redraw);
  function show(empty) {
    if (!section.open) return;
    const order = [...output.keys()].sort((a, b) => Math.abs(output[b]) - Math.abs(output[a]));
    tiles.forEach(({ canvas, caption }, i) => {
      const unit = order[i];
      if (empty || unit === undefined) {
        paintDigit(canvas, new Uint8Array(PIXELS));
        canvas.setAttribute("aria-label", "No picture");
        caption.textContent = "–";
        return;
      }
      paintWeights(canvas, first.W.subarray(unit * PIXELS, (unit + 1) * PIXELS));
      canvas.setAttribute("aria-label", `Weights of unit ${unit}`);
      caption.replaceChildren(h("b", {}, `${unit}`), ` gives ${output[unit].toFixed(1)}`);
    });
  }
  return { section, show };
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const net = makeNet(model.get("_net"));
  const labels = model.get("_example_labels");

  // What is shown. The image is what the net is fed, 784 bytes; it comes from strokes, from an example
  // (then `example` is its number, else -1), or from Python.
  const step = inStep(model, ["image", "example", "temperature"]);
  const { state } = step;
  let lastExample = state.example;
  let fromStrokes = false;
  let logits = null; // null while there is nothing to classify, and so are the probabilities
  let probabilities = null;

  // -- elements
  const area = drawingArea({
    onStart() {
      if (!fromStrokes) showPicture(); // drawing begins on empty paper
    },
    onChange: () => step.change(),
    onEnd: () => step.commit(),
    onClear: clear,
    onUndo() {
      area.undo();
      step.commit();
    },
    say: step.say,
  });
  const areaTitle = title("");
  const seen = digitCanvas("What the net sees: the drawing as 28 by 28 pixels, centred");
  const verdictDigit = h("span", { class: "dd-digit" });
  const verdictFirst = h("span", { class: "dd-first" });
  const verdictNext = h("span");
  const verdictLabel = h("span", { class: "dd-truth" });
  const bars = digitBars({ prefix: "dd", valueClass: "dd-percent", label: "Score and probability of each digit", noted: true });
  const heat = rangeField({
    name: "Temperature (divides all scores)",
    min: 0.1,
    max: 10,
    perDecade: 20,
    text: (v) => v.toFixed(2),
    onInput: (temperature) => step.change({ temperature }),
    onChange: (temperature) => step.commit({ temperature }),
  });
  const thumbnails = digitThumbnails({ examples: model.get("_examples"), labels, onPick: pick });
  const neighbours = model.get("_neighbour_labels").length ? neighbourSection(model, () => step.change()) : null;
  const firstLayer = layerSection(net, () => step.change());

  const root = h(
    "div",
    { class: "cw dd", role: "group", "aria-label": "Draw a digit" },
    h(
      "div",
      { class: "dd-main" },
      h("div", { class: "dd-left" }, areaTitle, area.paper, h("div", { class: "dd-buttons" }, area.undoButton, area.clearButton)),
      h(
        "div",
        { class: "dd-right" },
        h(
          "div",
          { class: "dd-top" },
          h("div", {}, title("What the net sees"), h("div", { class: "dd-seen" }, seen)),
          h(
            "div",
            { class: "dd-verdict", "aria-hidden": "true" }, // its words are said
            title("What it says"),
            h("div", { class: "dd-says" }, verdictDigit, h("div", {}, verdictFirst, verdictNext, verdictLabel)),
          ),
        ),
        h("div", { class: "dd-heads cw-title", "aria-hidden": "true" }, h("span", {}, "score"), h("span", {}, "probability")),
        bars.element,
        heat.element,
      ),
    ),
    area.note,
    h(
      "div",
      { class: "dd-examples", role: "group", "aria-label": "Test digits" },
      h(
        "div",
        { class: "dd-examples-head" },
        h("span", { class: "cw-title" }, "Or take a test digit"),
        button("Next test digit", () => pick((lastExample + 1) % labels.length)),
      ),
      thumbnails.element,
    ),
    ...(neighbours ? [neighbours.section] : []),
    firstLayer.section,
  );

  // -- what the reader can do
  /** Take a picture that is no drawing; without one, empty paper. */
  function showPicture(image = new Uint8Array(PIXELS), example = -1) {
    area.clear();
    fromStrokes = false;
    Object.assign(state, { image, example });
    if (example >= 0) lastExample = example;
  }

  function pick(k) {
    showPicture(thumbnails.images[k].slice(), k);
    step.commit();
  }

  function clear() {
    showPicture();
    step.commit();
  }

  /** Feed a grey picture of any size (ink high, paper 0), prepared as MNIST was. Returns the probabilities. */
  function feedRaster(grey, width, height) {
    showPicture(inkToBytes(rasterToDigit(grey, width, height)));
    step.commit();
    return probabilities;
  }

  // -- from what is shown to what the net says
  function classify() {
    if (area.strokes().length) {
      state.image = inkToBytes(strokesToDigit(area.strokes()));
      fromStrokes = true;
    } else if (fromStrokes) {
      state.image = new Uint8Array(PIXELS); // the last stroke was undone
      fromStrokes = false;
    }
    const empty = state.image.every((v) => v === 0);
    logits = empty ? null : Float32Array.from(net.forward(bytesToInk(state.image)));
    probabilities = empty ? null : softmax(logits.map((z) => z / state.temperature));
  }

  function draw() {
    classify();
    const { image, example } = state;
    const empty = probabilities === null;
    area.redraw(fromStrokes || empty ? null : image);
    area.hint.hidden = !empty;
    area.undoButton.disabled = !fromStrokes;
    areaTitle.textContent = fromStrokes || empty ? "Your drawing" : example >= 0 ? `Test digit ${example + 1}` : "A picture";
    paintDigit(seen, image);
    const label = example >= 0 ? labels[example] : -1;
    const [first, second] = empty ? [-1, -1] : ranking(probabilities);
    const shares = empty ? Array.from({ length: 10 }, () => 0) : [...probabilities];
    bars.show(shares, shares.map((p) => (empty ? "–" : percent(p, 1))), { "dd-best": first, "dd-label": label }, shares.map((_, k) => (empty ? "–" : minus(logits[k].toFixed(1)))));
    heat.show(state.temperature);
    verdictDigit.textContent = empty ? "?" : String(first);
    verdictFirst.textContent = empty ? "" : percent(probabilities[first]);
    verdictNext.textContent = empty ? "nothing yet" : `next ${second}, ${percent(probabilities[second])}`;
    verdictLabel.textContent = label < 0 || empty ? "" : `labelled ${label}: ${label === first ? "right" : "wrong"}`;
    verdictLabel.classList.toggle("dd-wrong", label !== first);
    thumbnails.mark(example);
    neighbours?.show(image, empty);
    firstLayer.show(empty);
  }

  function sentence() {
    if (probabilities === null) return "The drawing area is empty.";
    const [first, second] = ranking(probabilities);
    const inWords = (share) => percent(share).replace(">", "over").replace("<", "under");
    const [p, q] = [first, second].map((digit) => inWords(probabilities[digit]));
    const truth = state.example >= 0 ? ` This test digit is labelled ${labels[state.example]}.` : "";
    const heated = state.temperature === 1 ? "" : ` at temperature ${state.temperature.toFixed(2)}`;
    return `The net says ${first}, ${p}; next ${second}, ${q}${heated}.${truth}`;
  }

  // for tests and for the curious: document.querySelector(".dd").drawDigit.probabilities
  root.drawDigit = {
    feedRaster,
    get image() {
      return state.image.slice();
    },
    get logits() {
      return logits?.slice() ?? null;
    },
    get probabilities() {
      return probabilities?.slice() ?? null;
    },
  };

  return step.mount({ el, root, draw, sentence, pulled: () => showPicture(state.image, state.example) });
}

export default { render };
