// latent_plane.js - a map of a two-dimensional latent space; the decoder draws the point on it.

import { toArrayBuffer, toBytes } from "./lib/bytes.js";
import { digitChooser } from "./lib/chooser.js";
import { makeNet } from "./lib/engine.js";
import { checkField, rangeField, selectField } from "./lib/fields.js";
import { decodeDigit, encodeDigit } from "./lib/latent.js";
import { between, clamp, signed } from "./lib/numbers.js";
import { PAPER, PIXELS, SIDE, digitCanvas, paintDigit } from "./lib/pictures.js";
import { drawAxes, drawCodes, mapPad, numeralPictures, openMap } from "./lib/plane.js";
import { button, freshId, h, title } from "./lib/dom.js";
import { inStep, oncePerFrame, whenIdle } from "./lib/step.js";

const TILES = 14; // decoded digits along each side of the manifold's picture
const NEAREST = 15; // codes that vote
const STEP = 0.05; // of a key
const STOPS = 9; // decoded digits along a walk, its ends included
const WALK_MS = 5000; // from one end to the other

// ---- the codes ------------------------------------------------------------------------------------

/** The codes of the test images: `x[i]`, `y[i]` and `labels[i]`. */
function unpackCodes(model) {
  const steps = new Int16Array(toArrayBuffer(model.get("_codes")));
  const labels = toBytes(model.get("_labels"));
  const step = model.get("_code_step");
  const x = Float64Array.from(labels, (_, i) => step * steps[2 * i]);
  const y = Float64Array.from(labels, (_, i) => step * steps[2 * i + 1]);
  return { x, y, labels };
}

/** How many of the codes nearest to a point are of each class, most first: [[digit, count], ...]. */
function vote({ x, y, labels }, point, count) {
  const found = []; // [squared distance, label], in order
  for (let i = 0; i < labels.length; i++) {
    const distance = (x[i] - point[0]) ** 2 + (y[i] - point[1]) ** 2;
    if (found.length === count && distance >= found[count - 1][0]) continue;
    let at = found.length;
    while (at > 0 && found[at - 1][0] > distance) at--;
    found.splice(at, 0, [distance, labels[i]]);
    if (found.length > count) found.pop();
  }
  const votes = new Map();
  for (const [, label] of found) votes.set(label, (votes.get(label) ?? 0) + 1);
  return [...votes].sort((a, b) => b[1] - a[1]);
}

/** The mean code of each class that occurs: Map of digit to [x, y]. */
function classMeans({ x, y, labels }) {
  const means = new Map();
  for (let digit = 0; digit < 10; digit++) {
    let [sumX, sumY, count] = [0, 0, 0];
    labels.forEach((label, i) => {
      if (label !== digit) return;
      sumX += x[i];
      sumY += y[i];
      count += 1;
    });
    if (count) means.set(digit, [sumX / count, sumY / count]);
  }
  return means;
}

// ---- the map --------------------------------------------------------------------------------------

/** The manifold: a sheet of decoded digits, `decodeNext()` adds one and returns whether more are left. */
function manifold(decoder, extent) {
  const sheet = h("canvas", { width: TILES * SIDE, height: TILES * SIDE });
  const context = sheet.getContext("2d");
  context.fillStyle = `rgb(${PAPER})`;
  context.fillRect(0, 0, sheet.width, sheet.height);
  const middle = (TILES - 1) / 2;
  const far = ([column, row]) => Math.hypot(column - middle, row - middle);
  const left = Array.from({ length: TILES * TILES }, (_, k) => [k % TILES, Math.floor(k / TILES)]);
  left.sort((a, b) => far(b) - far(a)); // taken from the end: first the middle, where the reader looks first
  const at = (k) => ((2 * k + 1) / TILES - 1) * extent;
  function decodeNext() {
    if (!left.length) return false;
    const [column, row] = left.pop();
    paintDigit(sheet, decodeDigit(decoder, [at(column), -at(row)]), column * SIDE, row * SIDE);
    return left.length > 0;
  }
  return { sheet, decodeNext };
}

/** The line of the walk, dotted, and its ends. */
function drawWalk({ context, ratio, place }, ends) {
  context.lineCap = "round";
  for (const [colour, lineWidth] of [["rgb(12 16 23 / 0.8)", 5], ["rgb(255 255 255 / 0.9)", 2]]) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = lineWidth * ratio;
    context.setLineDash([0.1, 7 * ratio]);
    context.beginPath();
    context.moveTo(...place(ends[0]));
    context.lineTo(...place(ends[1]));
    context.stroke();
    context.setLineDash([]);
    for (const end of ends) {
      context.beginPath();
      context.arc(...place(end), 5 * ratio, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/**
 * The picture under the handle, painted at the resolution of the screen: ground, manifold (`sheet`, or
 * null), axes, codes (those of `only`, if it is a class, in front; none unless `codesShown`), and the walk.
 */
function drawMap(canvas, { extent, sheet, codes, colours, codesShown, only, walkEnds }) {
  const map = openMap(canvas, extent);
  if (!map) return;
  const { context, side, ratio } = map;
  if (sheet) {
    context.globalAlpha = codesShown ? 0.42 : 1;
    context.imageSmoothingEnabled = true;
    context.drawImage(sheet, 0, 0, side, side);
    context.globalAlpha = 1;
  }
  drawAxes(map, extent);
  if (codesShown) drawCodes(map, codes, numeralPictures(colours, side < 380 * ratio ? 9 : 10.5, ratio), only);
  drawWalk(map, walkEnds);
}

// ---- the walk -------------------------------------------------------------------------------------

/**
 * A walk there and back on the straight line between two codes, which menus choose: the mean code of a
 * class, or that of a test digit (`exampleCode(k)`). `onMove(point)` hears where it is, `onStop()` that
 * it rests, `onPlan()` that its ends are others. Readers who want no motion press for every step.
 */
function makeWalk({ means, labels, exampleCode, decoder, onMove, onStop, onPlan }) {
  const calm = globalThis.matchMedia("(prefers-reduced-motion: reduce)");
  let state = "off"; // or "moving", or "paused"
  let walked = 0; // 0 at its start, 1 at its end, 2 back at its start
  let lastFrame = 0;
  let painted = 0; // digits of the strip
  const share = () => 1 - Math.abs(1 - walked);

  const options = [
    ...[...means.keys()].map((digit) => [`class ${digit}`, `mean code of the ${digit}s`]),
    ...labels.map((label, k) => [`test ${k}`, `test digit ${k + 1} (a ${label})`]),
  ];
  const menus = ["from", "to"].map((name) => selectField({ name, options, onChange: plan, className: "lp-end" }));
  menus.forEach((menu, k) => menu.show(options[Math.min(k, means.size - 1)][0]));
  const press = button("Walk", () => go(), "lp-walk");
  const strip = h("canvas", { class: "lp-strip", width: STOPS * SIDE, height: SIDE, role: "img" });
  const mark = h("span", { class: "lp-strip-mark" });

  function ends() {
    return menus.map(({ input }) => {
      const [kind, number] = input.value.split(" ");
      return kind === "class" ? means.get(Number(number)) : exampleCode(Number(number));
    });
  }
  const nameOf = (k) => menus[k].input.selectedOptions[0].text;
  const here = () => onMove(between(...ends(), share()));

  function plan() {
    strip.setAttribute("aria-label", `${STOPS} digits decoded on the line from ${nameOf(0)} to ${nameOf(1)}`);
    painted = 0;
    set("off");
    onPlan();
  }

  function set(next) {
    state = next;
    if (state !== "moving") frame.cancel();
    const [off, paused] = calm.matches ? ["Walk in steps", "Next step"] : ["Walk", "Go on"];
    press.textContent = { off, moving: "Pause", paused }[state];
    mark.hidden = state === "off";
  }

  const frame = oncePerFrame(() => {
    const now = performance.now();
    walked = Math.min(2, walked + Math.min(100, now - lastFrame) / WALK_MS);
    lastFrame = now;
    here();
    if (walked < 2) return frame();
    set("off");
    onStop();
  });

  function go() {
    if (state === "moving") {
      set("paused");
      return onStop();
    }
    if (state === "off") walked = 0;
    else if (calm.matches) walked = walked < 2 ? walked + 1 / (STOPS - 1) : 1 / (STOPS - 1);
    here();
    set(calm.matches ? "paused" : "moving"); // one step at each press: nothing moves by itself
    if (calm.matches) return onStop();
    lastFrame = performance.now();
    frame();
  }

  const rename = () => set(state);
  calm.addEventListener("change", rename);
  return {
    element: h(
      "div",
      { class: "lp-walks", role: "group", "aria-label": "Walk between two codes" },
      h("div", { class: "lp-walk-head" }, press, ...menus.map((menu) => menu.element)),
      h("div", { class: "lp-strip-box" }, strip, mark),
    ),
    ends,
    plan,
    moving: () => state === "moving",
    /** The reader takes the point somewhere else. */
    leave() {
      if (state !== "off") set("off");
    },
    /** Decode one more digit on the line; returns whether there was one to do. */
    paintNext() {
      if (painted === STOPS) return false;
      paintDigit(strip, decodeDigit(decoder, between(...ends(), painted / (STOPS - 1))), painted * SIDE);
      painted += 1;
      return true;
    },
    show() {
      mark.style.left = `${(100 * (share() * (STOPS - 1) + 0.5)) / STOPS}%`;
    },
    cancel() {
      frame.cancel();
      calm.removeEventListener("change", rename);
    },
  };
}

// ---- the widget -----------------------------------------------------------------------------------

/** "12 of 15 are 3s, 2 are 8s, 1 is a 5" */
function votesInWords(votes, voters) {
  const parts = votes.slice(0, 3).map(([digit, count], k) => {
    if (k === 0) return `${count} of ${voters} are ${digit}s`;
    return `${count} ${count === 1 ? `is a ${digit}` : `are ${digit}s`}`;
  });
  return parts.join(", ");
}

function render({ model, el }) {
  const decoder = makeNet(model.get("_decoder"));
  const encoder = model.get("_encoder").spec && makeNet(model.get("_encoder"));
  const codes = unpackCodes(model);
  const means = classMeans(codes);
  const extent = model.get("_extent");
  const colours = model.get("_colours");
  const voters = Math.min(NEAREST, codes.labels.length);
  const step = inStep(model, ["z"]);
  const { state } = step;
  let picture = new Uint8ClampedArray(PIXELS);
  let example = -1; // the test digit whose code the point is
  let only = null; // the class that is highlighted

  // -- elements
  const helpId = freshId();
  const canvas = h("canvas", { class: "cw-plane-map", "aria-hidden": "true" });
  const pad = mapPad({ canvas, reach: () => extent, keyStep: () => STEP, describedBy: helpId, point: () => state.z, onMove: lead, onEnd: step.rest });
  const sheet = manifold(decoder, extent);
  const decodedCanvas = digitCanvas("");
  const winner = h("span", { class: "lp-winner" });
  const counts = h("span", { class: "lp-counts" });
  const sliders = [0, 1].map((axis) =>
    rangeField({
      name: `z[${axis}]`,
      min: -extent,
      max: extent,
      step: 0.01,
      keyStep: STEP,
      text: signed,
      onInput(v) {
        walk.leave();
        moveTo(state.z.map((old, k) => (k === axis ? v : old)));
      },
      classes: { label: "", input: "lp-range" },
    }),
  );
  const check = (name) => checkField({ name, onChange: () => redrawMap(), className: "lp-check" });
  const manifoldCheck = check("Show the manifold");
  const codesCheck = check("Show the codes");
  manifoldCheck.input.checked = codesCheck.input.checked = true;
  const legend = colours.map((colour, digit) =>
    h(
      "button",
      {
        type: "button",
        class: "lp-class",
        "aria-pressed": "false",
        "aria-label": `Highlight the codes of class ${digit}`,
        disabled: !means.has(digit),
        style: `color: ${colour}`,
        onclick: () => highlight(only === digit ? null : digit),
      },
      String(digit),
    ),
  );
  const chooser = encoder
    ? digitChooser({
        examples: model.get("_examples"),
        labels: model.get("_example_labels"),
        onChoose: encodeImage,
        say: step.say,
      })
    : null;
  const exampleCodes = [];
  const walk = makeWalk({
    means,
    labels: model.get("_example_labels"),
    exampleCode: (k) => (exampleCodes[k] ??= encodeDigit(encoder, chooser.images[k]).mean),
    decoder,
    onMove: moveTo,
    onStop: step.rest,
    onPlan() {
      redrawMap();
      decodeRest();
    },
  });

  const root = h(
    "div",
    { class: "cw lp", role: "group", "aria-label": "The latent plane" },
    h(
      "div",
      { class: "lp-main" },
      h(
        "div",
        { class: "lp-left" },
        title(`The latent plane, with the codes of ${codes.labels.length.toLocaleString("en")} test images`),
        pad.element,
      ),
      h(
        "div",
        { class: "lp-right" },
        h("div", { class: "lp-picture" }, title("The decoded digit"), h("div", { class: "lp-decoded" }, decodedCanvas)),
        h(
          "div",
          { class: "lp-numbers" },
          ...sliders.map(({ label, input, output }) => h("div", { class: "lp-axis" }, label, input, output)),
          title(`The ${voters} nearest codes`, "lp-vote-title"),
          h("p", { class: "lp-vote" }, winner, counts),
        ),
      ),
    ),
    h(
      "p",
      { class: "cw-note", id: helpId },
      "Drag the point, or move it with the arrow keys; with Shift it moves five times as far.",
    ),
    h(
      "div",
      { class: "lp-legend", role: "group", "aria-label": "Highlight one class" },
      h(
        "div",
        { class: "lp-legend-head" },
        h("span", { class: "cw-title" }, "Highlight one class"),
        h("span", { class: "lp-checks" }, manifoldCheck.element, codesCheck.element),
      ),
      h("div", { class: "lp-classes" }, ...legend),
    ),
    walk.element,
  );
  if (chooser) {
    const heading = title("Encode a test digit: the point jumps to its code");
    const choose = { class: "lp-choose", role: "group", "aria-label": "Encode a digit" };
    root.append(h("div", choose, heading, chooser.thumbnails), chooser.section);
  }

  // -- what the reader can do
  /** Move the point; the picture follows in the next frame, Python and screen readers at rest. */
  function moveTo(z, ofExample = -1) {
    example = ofExample;
    decodeRest.cancel();
    step.move({ z });
  }

  /** The reader takes the point to `z`, or as near as the map reaches. */
  function lead(z) {
    walk.leave();
    moveTo(z.map((v) => clamp(v, -extent, extent)));
  }

  function encodeImage(image, ended) {
    walk.leave();
    moveTo(encodeDigit(encoder, image).mean, chooser.find(image));
    if (ended) step.rest();
  }

  function highlight(digit) {
    only = digit;
    legend.forEach((choice, k) => choice.setAttribute("aria-pressed", String(k === digit)));
    if (digit !== null) codesCheck.input.checked = true;
    redrawMap();
  }

  // -- work for idle time: the walk's digits, then the manifold
  const decodeRest = whenIdle(() => {
    if (walk.paintNext()) return true;
    const more = sheet.decodeNext();
    if (manifoldCheck.input.checked) redrawMap();
    if (!more) root.dataset.manifold = "1";
    return more;
  });

  // -- from the point to what is shown
  function draw() {
    const { z } = state;
    picture = decodeDigit(decoder, z);
    paintDigit(decodedCanvas, picture);
    decodedCanvas.setAttribute("aria-label", `Digit decoded from z = (${z.map(signed).join(", ")})`);
    pad.show(z);
    sliders.forEach((slider, axis) => slider.show(z[axis]));
    const votes = vote(codes, z, voters);
    winner.textContent = String(votes[0][0]);
    winner.style.color = colours[votes[0][0]];
    counts.textContent = votesInWords(votes, voters);
    walk.show();
    chooser?.mark(example);
  }
  const redrawMap = oncePerFrame(() =>
    drawMap(canvas, {
      extent,
      sheet: manifoldCheck.input.checked ? sheet.sheet : null,
      codes,
      colours,
      codesShown: codesCheck.input.checked,
      only,
      walkEnds: walk.ends(),
    }),
  );
  const resized = new ResizeObserver(() => redrawMap());
  resized.observe(canvas);

  // for tests and for the curious: document.querySelector(".lp").latentPlane.decoded
  root.latentPlane = {
    get z() {
      return [...state.z];
    },
    get decoded() {
      return picture.slice();
    },
  };

  walk.plan();
  return step.mount({
    el,
    root,
    draw,
    sentence: () => `Point ${state.z.map(signed).join(", ")}: ${counts.textContent}.`,
    rested() {
      if (!walk.moving()) decodeRest();
    },
    pulled() {
      walk.leave();
      example = -1;
      decodeRest.cancel();
    },
    jobs: [redrawMap, decodeRest, walk, { cancel: () => resized.disconnect() }, ...(chooser ? [chooser] : [])],
  });
}

export default { render };
