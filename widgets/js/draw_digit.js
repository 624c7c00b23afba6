// draw_digit.js - draw a digit, and a small net in the page says which one it is.

import { makeNet, softmax, toArrayBuffer } from "./lib/engine.js";
import { SIDE, rasterToDigit, strokesToDigit } from "./lib/mnist.js";
import { drawingArea } from "./lib/drawing.js";
import { LOWERS, PIXELS, RAISES, mix, paintDigit, tile, unpackGrey } from "./lib/pictures.js";
import { freshId, h, oncePerFrame, paint, percent, ready } from "./lib/dom.js";

const N_NEAREST = 5;
const N_UNITS = 6;

// ---- probabilities --------------------------------------------------------------------------------

/** Ten bars with their per cent in text. */
function probabilityBars() {
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const name = h("span", { class: "dd-name" }, String(digit));
    const fill = h("span", { class: "dd-fill" });
    const text = h("span", { class: "dd-percent" });
    const row = h("li", {}, name, h("span", { class: "dd-track" }, fill), text);
    return { row, fill, text };
  });
  return {
    element: h("ul", { class: "dd-bars", "aria-label": "Probability of each digit" }, ...rows.map((r) => r.row)),
    show(probabilities, best, label) {
      rows.forEach(({ row, fill, text }, digit) => {
        const p = probabilities ? probabilities[digit] : 0;
        fill.style.transform = `scaleX(${p})`;
        text.textContent = probabilities ? percent(p, 1) : "–";
        row.classList.toggle("dd-best", digit === best);
        row.classList.toggle("dd-label", digit === label);
      });
    },
  };
}

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
      h("span", { class: "dd-raises" }, "orange"),
      " pixels raises the unit, ink on ",
      h("span", { class: "dd-lowers" }, "blue"),
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
      const weights = first.W.subarray(unit * PIXELS, (unit + 1) * PIXELS);
      const largest = weights.reduce((m, w) => Math.max(m, Math.abs(w)), 1e-9);
      paint(canvas, SIDE, SIDE, (k) => mix(Math.abs(weights[k]) / largest, weights[k] > 0 ? RAISES : LOWERS));
      canvas.setAttribute("aria-label", `Weights of unit ${unit}`);
      caption.replaceChildren(h("b", {}, `${unit}`), ` gives ${output[unit].toFixed(1)}`);
    });
  }
  return { section, show };
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const net = makeNet(model.get("_net"), model.get("_weights"));
  const examplePixels = new Uint8Array(toArrayBuffer(model.get("_examples")));
  const exampleLabels = model.get("_example_labels");
  const exampleImage = (k) => examplePixels.subarray(k * PIXELS, (k + 1) * PIXELS);

  // What is shown. The image is what the net is fed, 784 values of 0-255; it comes from strokes, from
  // an example (then `example` is its number, else -1), or from Python.
  let image = new Uint8Array(PIXELS);
  let example = -1;
  let lastExample = -1;
  let fromStrokes = false;
  let probabilities = null; // null while there is nothing to classify

  // -- elements
  const helpId = freshId();
  const area = drawingArea({
    describedBy: helpId,
    onStart: () => {
      if (!fromStrokes) showPicture(new Uint8Array(PIXELS), -1); // drawing begins on empty paper
    },
    onChange: () => redraw(),
    onEnd: () => commit(),
    onClear: () => clear(),
    onUndo: () => undo(),
    say: (text) => (live.textContent = text),
  });
  const title = h("div", { class: "cw-title" });
  const hint = h("span", { class: "cw-hint", "aria-hidden": "true" }, "Draw a digit here");
  const seen = h("canvas", {
    class: "cw-digit",
    width: SIDE,
    height: SIDE,
    role: "img",
    "aria-label": "What the net sees: the drawing as 28 by 28 pixels, centred",
  });
  const verdictDigit = h("span", { class: "dd-digit" });
  const verdictFirst = h("span", { class: "dd-first" });
  const verdictNext = h("span");
  const verdictLabel = h("span", { class: "dd-truth" });
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const bars = probabilityBars();
  const undoButton = h("button", { type: "button", class: "cw-button", onclick: () => undo() }, "Undo stroke");
  const clearButton = h("button", { type: "button", class: "cw-button", onclick: () => clear() }, "Clear");
  const nextButton = h(
    "button",
    { type: "button", class: "cw-button", onclick: () => pick((lastExample + 1) % exampleLabels.length) },
    "Next test digit",
  );
  const thumbnails = exampleLabels.map((label, k) => {
    const canvas = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, "aria-hidden": "true" });
    paintDigit(canvas, exampleImage(k));
    const name = `Test digit ${k + 1}, labelled ${label}`;
    const attributes = { type: "button", class: "cw-thumbnail", "aria-label": name, onclick: () => pick(k) };
    return h("button", attributes, canvas);
  });
  const neighbours = model.get("_neighbour_labels").length ? neighbourSection(model, () => redraw()) : null;
  const firstLayer = layerSection(net, () => redraw());

  const root = h(
    "div",
    { class: "cw dd", role: "group", "aria-label": "Draw a digit" },
    h(
      "div",
      { class: "dd-main" },
      h(
        "div",
        { class: "dd-left" },
        title,
        h("div", { class: "cw-paper" }, area.canvas, hint),
        h("div", { class: "dd-buttons" }, undoButton, clearButton),
      ),
      h(
        "div",
        { class: "dd-right" },
        h(
          "div",
          { class: "dd-top" },
          h("div", {}, h("div", { class: "cw-title" }, "What the net sees"), h("div", { class: "dd-seen" }, seen)),
          h(
            "div",
            { class: "dd-verdict", "aria-hidden": "true" }, // its words are in `live`
            h("div", { class: "cw-title" }, "What it says"),
            h("div", { class: "dd-says" }, verdictDigit, h("div", {}, verdictFirst, verdictNext, verdictLabel)),
          ),
        ),
        bars.element,
      ),
    ),
    h(
      "p",
      { class: "cw-note", id: helpId },
      "Draw with mouse, finger or pen. With keys: arrows move the pen, Space lowers and lifts it, Delete clears.",
    ),
    h(
      "div",
      { class: "dd-examples", role: "group", "aria-label": "Test digits" },
      h("div", { class: "dd-examples-head" }, h("span", { class: "cw-title" }, "Or take a test digit"), nextButton),
      h("div", { class: "cw-thumbnails" }, ...thumbnails),
    ),
    ...(neighbours ? [neighbours.section] : []),
    firstLayer.section,
    live,
  );

  // -- what the reader can do
  function showPicture(pixels, k) {
    area.clear();
    fromStrokes = false;
    image = Uint8Array.from(pixels);
    example = k;
    if (k >= 0) lastExample = k;
  }

  function pick(k) {
    showPicture(exampleImage(k), k);
    commit();
  }

  function undo() {
    area.undo();
    commit();
  }

  function clear() {
    showPicture(new Uint8Array(PIXELS), -1);
    commit();
  }

  /** Feed a grey picture of any size (ink high, paper 0), prepared as MNIST was. Returns the probabilities. */
  function feedRaster(grey, width, height) {
    showPicture(toBytes(rasterToDigit(grey, width, height)), -1);
    commit();
    return probabilities;
  }

  // -- from what is shown to what the net says
  function toBytes(digit) {
    return Uint8Array.from(digit, (v) => Math.round(255 * v));
  }

  function classify() {
    if (area.strokes().length) {
      image = toBytes(strokesToDigit(area.strokes()));
      fromStrokes = true;
    } else if (fromStrokes) {
      image = new Uint8Array(PIXELS); // the last stroke was undone
      fromStrokes = false;
    }
    const empty = image.every((v) => v === 0);
    probabilities = empty ? null : softmax(net.forward(Float32Array.from(image, (v) => v / 255)));
  }

  function draw() {
    const start = performance.now();
    classify();
    const empty = probabilities === null;
    area.redraw(fromStrokes || empty ? null : image);
    hint.hidden = !empty;
    title.textContent = fromStrokes || empty ? "Your drawing" : example >= 0 ? `Test digit ${example + 1}` : "A picture";
    paintDigit(seen, image);
    const label = example >= 0 ? exampleLabels[example] : -1;
    const [first, second] = empty ? [-1, -1] : ranking(probabilities);
    bars.show(probabilities, first, label);
    verdictDigit.textContent = empty ? "?" : String(first);
    verdictFirst.textContent = empty ? "" : percent(probabilities[first]);
    verdictNext.textContent = empty ? "nothing yet" : `next ${second}, ${percent(probabilities[second])}`;
    verdictLabel.textContent = label < 0 || empty ? "" : `labelled ${label}: ${label === first ? "right" : "wrong"}`;
    verdictLabel.classList.toggle("dd-wrong", label !== first);
    undoButton.disabled = !fromStrokes;
    thumbnails.forEach((button, k) => button.setAttribute("aria-pressed", String(k === example)));
    neighbours?.show(image, empty);
    firstLayer.show(empty);
    root.dataset.ms = (performance.now() - start).toFixed(2);
  }
  const redraw = oncePerFrame(draw);

  function sentence() {
    if (probabilities === null) return "The drawing area is empty.";
    const [first, second] = ranking(probabilities);
    const inWords = (share) => percent(share).replace(">", "over").replace("<", "under");
    const [p, q] = [first, second].map((digit) => inWords(probabilities[digit]));
    const truth = example >= 0 ? ` This test digit is labelled ${exampleLabels[example]}.` : "";
    return `The net says ${first}, ${p}; next ${second}, ${q}.${truth}`;
  }

  // -- in step with Python, and with other views of the same model
  /** The end of a stroke, or a choice: draw at once, tell the model, say it aloud. */
  function commit() {
    redraw.cancel();
    draw();
    live.textContent = sentence();
    model.set("image", new DataView(image.slice().buffer));
    model.set("example", example);
    model.save_changes();
  }

  function pull() {
    const theirs = new Uint8Array(toArrayBuffer(model.get("image")));
    const k = model.get("example");
    if (k === example && theirs.every((v, i) => v === image[i])) return; // our own change
    showPicture(theirs, k);
    draw();
    live.textContent = sentence();
  }
  const pullSoon = oncePerFrame(pull); // image and example arrive one after the other

  model.on("change:image", pullSoon);
  model.on("change:example", pullSoon);
  showPicture(new Uint8Array(toArrayBuffer(model.get("image"))), model.get("example"));
  draw();
  el.append(root);
  ready(root);

  // for tests and for the curious: document.querySelector(".dd").drawDigit.probabilities
  root.drawDigit = {
    feedRaster,
    get image() {
      return image.slice();
    },
    get probabilities() {
      return probabilities?.slice() ?? null;
    },
  };

  return () => {
    model.off("change:image", pullSoon);
    model.off("change:example", pullSoon);
    root.remove(); // first: it may take the focus from the drawing area, which asks for a redraw
    redraw.cancel();
    pullSoon.cancel();
  };
}

export default { render };
