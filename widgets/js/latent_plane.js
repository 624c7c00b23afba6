// latent_plane.js - a map of a two-dimensional latent space; the decoder draws the point on it.

import { makeNet, toArrayBuffer } from "./lib/engine.js";
import { SIDE } from "./lib/mnist.js";
import { PAPER, PIXELS, paintDigit } from "./lib/pictures.js";
import { freshId, h, oncePerFrame, ready } from "./lib/dom.js";
import {
  afterQuiet,
  decodeDigit,
  digitChooser,
  encodeDigit,
  idleJob,
  placeDigit,
  signed,
  stepWithKeys,
} from "./lib/latent.js";

const TILES = 14; // decoded digits along each side of the manifold's picture
const NEAREST = 15; // codes that vote
const STEP = 0.05;
const STOPS = 9; // decoded digits along a walk, its ends included
const WALK_MS = 5000; // from one end to the other
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// ---- the codes ------------------------------------------------------------------------------------

/** The codes of the test images: `x[i]`, `y[i]` and `labels[i]`. */
function unpackCodes(model) {
  const steps = new Int16Array(toArrayBuffer(model.get("_codes")));
  const labels = new Uint8Array(toArrayBuffer(model.get("_labels")));
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

/**
 * The picture under the handle: ground, manifold, axes, codes, and the line of the walk, painted at the
 * resolution of the screen.
 */
function plane({ codes, extent, colours, decoder }) {
  const canvas = h("canvas", { class: "lp-map", "aria-hidden": "true" });
  const sheet = h("canvas", { width: TILES * SIDE, height: TILES * SIDE });
  const sheetContext = sheet.getContext("2d");
  sheetContext.fillStyle = `rgb(${PAPER})`;
  sheetContext.fillRect(0, 0, sheet.width, sheet.height);
  // from the middle outwards, where the reader looks first
  const middle = (TILES - 1) / 2;
  const order = Array.from({ length: TILES * TILES }, (_, k) => [k % TILES, Math.floor(k / TILES)]).sort(
    (a, b) => Math.hypot(a[0] - middle, a[1] - middle) - Math.hypot(b[0] - middle, b[1] - middle),
  );
  let done = 0;

  /** Decode one more tile; returns whether more are left. */
  function decodeTile() {
    if (done === order.length) return false;
    const [column, row] = order[done];
    const at = (k) => ((2 * k + 1) / TILES - 1) * extent;
    placeDigit(sheetContext, column * SIDE, row * SIDE, decodeDigit(decoder, [at(column), -at(row)]));
    done += 1;
    return done < order.length;
  }

  /** The ten numerals as small pictures, so that thousands of them are drawn in no time. */
  function numerals(size, ratio) {
    const side = Math.ceil(size * 1.5 * ratio);
    return colours.map((colour, digit) => {
      const picture = h("canvas", { width: side, height: side });
      const context = picture.getContext("2d");
      context.font = `600 ${size * ratio}px system-ui, sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      context.lineWidth = 2.5 * ratio;
      context.strokeStyle = "rgb(12 16 23 / 0.9)"; // PAPER
      context.strokeText(String(digit), side / 2, side / 2);
      context.fillStyle = colour;
      context.fillText(String(digit), side / 2, side / 2);
      return picture;
    });
  }

  function draw({ manifold, numeralsShown, only, walk }) {
    const width = canvas.clientWidth;
    if (!width) return;
    const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    const side = Math.round(width * ratio);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const place = ([x, y]) => [((1 + x / extent) * side) / 2, ((1 - y / extent) * side) / 2];
    context.globalAlpha = 1;
    context.fillStyle = `rgb(${PAPER})`;
    context.fillRect(0, 0, side, side);
    if (manifold) {
      context.globalAlpha = numeralsShown ? 0.42 : 1;
      context.imageSmoothingEnabled = true;
      context.drawImage(sheet, 0, 0, side, side);
    }
    drawAxes(context, side, ratio, place);
    if (numeralsShown) {
      const pictures = numerals(width < 380 ? 9 : 10.5, ratio);
      const half = pictures[0].width / 2;
      for (const front of only === null ? [false] : [false, true]) {
        for (let i = 0; i < codes.labels.length; i++) {
          if (only !== null && (codes.labels[i] === only) !== front) continue;
          const [x, y] = place([codes.x[i], codes.y[i]]);
          context.globalAlpha = only === null ? 0.9 : front ? 1 : 0.13;
          context.drawImage(pictures[codes.labels[i]], Math.round(x - half), Math.round(y - half));
        }
      }
    }
    context.globalAlpha = 1;
    if (walk) {
      context.lineCap = "round";
      for (const [colour, lineWidth] of [["rgb(12 16 23 / 0.8)", 5], ["rgb(255 255 255 / 0.9)", 2]]) {
        context.strokeStyle = context.fillStyle = colour;
        context.lineWidth = lineWidth * ratio;
        context.setLineDash([0.1, 7 * ratio]);
        context.beginPath();
        context.moveTo(...place(walk[0]));
        context.lineTo(...place(walk[1]));
        context.stroke();
        context.setLineDash([]);
        for (const end of walk) {
          context.beginPath();
          context.arc(...place(end), 5 * ratio, 0, 2 * Math.PI);
          context.stroke();
        }
      }
    }
  }

  /** Lines through 0, and whole numbers along the lower and the left edge. */
  function drawAxes(context, side, ratio, place) {
    context.globalAlpha = 1;
    context.strokeStyle = "rgb(255 255 255 / 0.14)";
    context.lineWidth = ratio;
    context.beginPath();
    context.moveTo(side / 2, 0);
    context.lineTo(side / 2, side);
    context.moveTo(0, side / 2);
    context.lineTo(side, side / 2);
    context.stroke();
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineWidth = 3 * ratio;
    context.lineJoin = "round";
    context.strokeStyle = "rgb(12 16 23 / 0.85)";
    context.fillStyle = "rgb(200 207 217)";
    const step = extent > 6 ? 2 : 1;
    const write = (text, x, y) => {
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    };
    for (let v = -Math.floor(extent / step) * step; v < extent; v += step) {
      const [x, y] = place([v, v]);
      const near = Math.min(x, side - x) < 16 * ratio;
      if (near) continue;
      const text = String(v).replace("-", "−");
      context.textAlign = "center";
      write(text, x, side - 9 * ratio);
      context.textAlign = "left";
      if (side - y > 24 * ratio) write(text, 5 * ratio, y);
    }
  }

  return { canvas, draw, decodeTile };
}

// ---- the widget -----------------------------------------------------------------------------------

function render({ model, el }) {
  const decoder = makeNet(model.get("_decoder"), model.get("_decoder_weights"));
  const encoder = model.get("_encoder").layers && makeNet(model.get("_encoder"), model.get("_encoder_weights"));
  const codes = unpackCodes(model);
  const means = classMeans(codes);
  const extent = model.get("_extent");
  const colours = model.get("_colours");
  const exampleLabels = model.get("_example_labels");
  const voters = Math.min(NEAREST, codes.labels.length);
  const calm = globalThis.matchMedia("(prefers-reduced-motion: reduce)");
  const clamp = (v) => Math.max(-extent, Math.min(extent, v));

  // What is shown: the point, what the decoder draws there, and the class that is highlighted.
  let z = [...model.get("z")];
  let picture = new Uint8ClampedArray(PIXELS);
  let example = -1; // the test digit whose code the point is
  let only = null;
  let walked = 0; // of the walk: 0 at its start, 1 at its end, 2 back at its start
  let walk = "off"; // or "moving", or "paused"
  let lastFrame = 0;

  // -- elements
  const helpId = freshId();
  const map = plane({ codes, extent, colours, decoder });
  const crossX = h("span", { class: "lp-cross lp-cross-x" });
  const crossY = h("span", { class: "lp-cross lp-cross-y" });
  const handle = h("span", { class: "lp-handle" });
  const pad = h(
    "div",
    {
      class: "lp-pad",
      tabindex: "0",
      role: "application",
      "aria-label": "Map of the latent plane",
      "aria-describedby": helpId,
    },
    map.canvas,
    crossX,
    crossY,
    handle,
  );
  const decodedCanvas = h("canvas", { class: "cw-digit", width: SIDE, height: SIDE, role: "img" });
  const winner = h("span", { class: "lp-winner" });
  const counts = h("span", { class: "lp-counts" });
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const sliders = [0, 1].map((axis) => {
    const id = freshId();
    const attributes = { id, type: "range", min: -extent, max: extent, step: 0.01, class: "lp-range" };
    const input = h("input", attributes);
    input.addEventListener("input", () => moveAxis(axis, Number(input.value)));
    stepWithKeys(input, STEP, (difference) => moveAxis(axis, z[axis] + difference));
    const value = h("output", { for: id });
    const element = h("div", { class: "lp-axis" }, h("label", { for: id }, `z[${axis}]`), input, value);
    return { input, value, element };
  });
  const check = (text, on) => {
    const input = h("input", { type: "checkbox" });
    input.checked = on;
    input.addEventListener("change", () => drawMap());
    return { input, element: h("label", { class: "lp-check" }, input, text) };
  };
  const manifoldCheck = check("Show the manifold", true);
  const codesCheck = check("Show the codes", true);
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

  // -- the walk
  const chooser = encoder
    ? digitChooser({
        examples: model.get("_examples"),
        labels: exampleLabels,
        onChoose: (image, ended) => encodeImage(image, ended),
        say: (text) => (live.textContent = text),
      })
    : null;
  const exampleCodes = [];
  const exampleCode = (k) => (exampleCodes[k] ??= encodeDigit(encoder, chooser.images[k]).mean);
  const endSelect = (name, chosen) => {
    const classes = [...means.keys()].map((digit) => h("option", { value: `class ${digit}` }, `mean code of the ${digit}s`));
    const digits = exampleLabels.map((label, k) => h("option", { value: `test ${k}` }, `test digit ${k + 1} (a ${label})`));
    const id = freshId();
    const select = h("select", { class: "lp-select", id }, ...classes, ...digits);
    select.value = `class ${chosen}`;
    select.addEventListener("change", () => planWalk());
    return { select, element: h("div", { class: "lp-end" }, h("label", { for: id }, name), select) };
  };
  const firstClasses = [...means.keys()];
  const from = endSelect("from", firstClasses[0]);
  const to = endSelect("to", firstClasses[Math.min(1, firstClasses.length - 1)]);
  const ends = () =>
    [from, to].map(({ select }) => {
      const [kind, number] = select.value.split(" ");
      return kind === "class" ? means.get(Number(number)) : exampleCode(Number(number));
    });
  const walkButton = h("button", { type: "button", class: "cw-button lp-walk", onclick: () => pressWalk() }, "Walk");
  const strip = h("canvas", { class: "lp-strip", width: STOPS * SIDE, height: SIDE, role: "img" });
  const stripMark = h("span", { class: "lp-strip-mark" });

  const root = h(
    "div",
    { class: "cw lp", role: "group", "aria-label": "The latent plane" },
    h(
      "div",
      { class: "lp-main" },
      h(
        "div",
        { class: "lp-left" },
        h("div", { class: "cw-title" }, `The latent plane, with the codes of ${codes.labels.length.toLocaleString("en")} test images`),
        pad,
      ),
      h(
        "div",
        { class: "lp-right" },
        h(
          "div",
          { class: "lp-picture" },
          h("div", { class: "cw-title" }, "The decoded digit"),
          h("div", { class: "lp-decoded" }, decodedCanvas),
        ),
        h(
          "div",
          { class: "lp-numbers" },
          ...sliders.map((s) => s.element),
          h("div", { class: "cw-title lp-vote-title" }, `The ${voters} nearest codes`),
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
    h(
      "div",
      { class: "lp-walks", role: "group", "aria-label": "Walk between two codes" },
      h("div", { class: "lp-walk-head" }, walkButton, from.element, to.element),
      h("div", { class: "lp-strip-box" }, strip, stripMark),
    ),
    ...(chooser
      ? [
          h(
            "div",
            { class: "lp-choose", role: "group", "aria-label": "Encode a digit" },
            h("div", { class: "cw-title" }, "Encode a test digit: the point jumps to its code"),
            chooser.thumbnails,
          ),
          chooser.section,
        ]
      : []),
    live,
  );

  // -- what the reader can do
  /** Move the point; the picture follows in the next frame, Python and screen readers at rest. */
  function moveTo(point, ofExample = -1) {
    z = point;
    example = ofExample;
    manifoldJob.stop();
    redraw();
    settle();
  }

  function moveAxis(axis, value) {
    leaveWalk();
    moveTo(axis === 0 ? [clamp(value), z[1]] : [z[0], clamp(value)]);
  }

  function encodeImage(image, ended) {
    leaveWalk();
    moveTo(encodeDigit(encoder, image).mean, chooser.find(image));
    if (ended) settle.now();
  }

  function highlight(digit) {
    only = digit;
    legend.forEach((button, k) => button.setAttribute("aria-pressed", String(k === digit)));
    if (digit !== null) codesCheck.input.checked = true;
    drawMap();
  }

  // -- pointer and keys on the map
  let pointer = null;
  function follow(event) {
    const box = pad.getBoundingClientRect();
    const x = (2 * (event.clientX - box.left)) / box.width - 1;
    const y = 1 - (2 * (event.clientY - box.top)) / box.height;
    moveTo([clamp(x * extent), clamp(y * extent)]);
  }
  pad.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    pad.setPointerCapture(pointer);
    leaveWalk();
    follow(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) follow(event);
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    pad.addEventListener(type, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      settle.now();
    });
  }
  pad.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const step = STEP * (event.shiftKey ? 5 : 1);
    leaveWalk();
    moveTo(z.map((v, axis) => clamp(v + MOVES[event.key][axis] * step)));
  });

  // -- the walk: there and back on a straight line
  const shareWalked = () => 1 - Math.abs(1 - walked);

  function goOn() {
    const [a, b] = ends();
    const share = shareWalked();
    moveTo(a.map((v, axis) => v + share * (b[axis] - v)));
  }

  const walkFrame = oncePerFrame(() => {
    const now = performance.now();
    walked = Math.min(2, walked + Math.min(100, now - lastFrame) / WALK_MS);
    lastFrame = now;
    goOn();
    if (walked < 2) return walkFrame();
    setWalk("off");
    settle.now();
  });

  function pressWalk() {
    if (walk === "moving") {
      setWalk("paused");
      settle.now();
      return;
    }
    if (walk === "off") walked = 0;
    else if (calm.matches) walked = walked < 2 ? walked + 1 / (STOPS - 1) : 1 / (STOPS - 1);
    goOn();
    if (calm.matches) {
      setWalk("paused"); // one step at each press: nothing moves by itself
      settle.now();
    } else {
      setWalk("moving");
      lastFrame = performance.now();
      walkFrame();
    }
  }

  function setWalk(state) {
    walk = state;
    if (walk !== "moving") walkFrame.cancel();
    const names = calm.matches
      ? { off: "Walk in steps", moving: "Pause", paused: "Next step" }
      : { off: "Walk", moving: "Pause", paused: "Go on" };
    walkButton.textContent = names[walk];
    stripMark.hidden = walk === "off";
  }

  /** The reader takes the point somewhere else. */
  function leaveWalk() {
    if (walk !== "off") setWalk("off");
  }

  let stripDone = 0;
  function planWalk() {
    strip.setAttribute(
      "aria-label",
      `${STOPS} digits decoded on the line from ${from.select.selectedOptions[0].text} to ${to.select.selectedOptions[0].text}`,
    );
    stripDone = 0;
    setWalk("off");
    drawMap();
    manifoldJob.start();
  }

  // -- work for idle time: the walk's digits, then the manifold
  const manifoldJob = idleJob(() => {
    if (stripDone < STOPS) {
      const [a, b] = ends();
      const share = stripDone / (STOPS - 1);
      const point = a.map((v, axis) => v + share * (b[axis] - v));
      placeDigit(strip.getContext("2d"), stripDone * SIDE, 0, decodeDigit(decoder, point));
      stripDone += 1;
      return true;
    }
    const more = map.decodeTile();
    if (manifoldCheck.input.checked) drawMap();
    if (!more) root.dataset.manifold = "1";
    return more;
  });

  // -- from the point to what is shown
  function draw() {
    const start = performance.now();
    picture = decodeDigit(decoder, z);
    paintDigit(decodedCanvas, picture);
    const [x, y] = z.map((v) => (50 * (1 + clamp(v) / extent)).toFixed(3));
    crossX.style.left = handle.style.left = `${x}%`;
    crossY.style.top = handle.style.top = `${100 - y}%`;
    sliders.forEach(({ input, value }, axis) => {
      input.value = z[axis];
      input.setAttribute("aria-valuetext", signed(z[axis]));
      value.textContent = signed(z[axis]);
    });
    const votes = vote(codes, z, voters);
    winner.textContent = String(votes[0][0]);
    winner.style.color = colours[votes[0][0]];
    counts.textContent = votes
      .slice(0, 3)
      .map(([digit, count], k) => (k === 0 ? `${count} of ${voters} are ${digit}s` : `${count} ${count === 1 ? `is a ${digit}` : `are ${digit}s`}`))
      .join(", ");
    decodedCanvas.setAttribute("aria-label", `Digit decoded from z = (${z.map(signed).join(", ")})`);
    stripMark.style.left = `${(100 * (shareWalked() * (STOPS - 1) + 0.5)) / STOPS}%`;
    chooser?.mark(example);
    root.dataset.ms = (performance.now() - start).toFixed(2);
  }
  const redraw = oncePerFrame(draw);
  const drawMap = oncePerFrame(() =>
    map.draw({
      manifold: manifoldCheck.input.checked,
      numeralsShown: codesCheck.input.checked,
      only,
      walk: ends(),
    }),
  );
  const resized = new ResizeObserver(() => drawMap());

  // -- in step with Python, and with other views of the same model
  const same = (a, b) => a.every((v, i) => v === b[i]);
  const settle = afterQuiet(250, () => {
    redraw.cancel();
    draw();
    live.textContent = `Point ${z.map(signed).join(", ")}: ${counts.textContent}.`;
    if (walk !== "moving") manifoldJob.start();
    if (same(z, model.get("z"))) return;
    model.set("z", [...z]);
    model.save_changes();
  });

  function pull() {
    const theirs = model.get("z");
    if (same(theirs, z)) return; // our own change
    leaveWalk();
    settle.cancel();
    moveTo([...theirs]);
    settle.now();
  }

  const rename = () => setWalk(walk);
  model.on("change:z", pull);
  calm.addEventListener("change", rename);
  draw();
  el.append(root);
  resized.observe(map.canvas);
  ready(root);
  planWalk();

  // for tests and for the curious: document.querySelector(".lp").latentPlane.decoded
  root.latentPlane = {
    get z() {
      return [...z];
    },
    get decoded() {
      return picture.slice();
    },
  };

  return () => {
    model.off("change:z", pull);
    calm.removeEventListener("change", rename);
    resized.disconnect();
    root.remove();
    for (const job of [redraw, drawMap, walkFrame, settle]) job.cancel();
    manifoldJob.stop();
    chooser?.cancel();
  };
}

export default { render };
