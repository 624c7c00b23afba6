// plane.js - a map of a latent plane: its ground and axes, codes as numerals, a handle that is moved over it.

import { h } from "./dom.js";
import { clamp, minus } from "./numbers.js";
import { PAPER } from "./pictures.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * A canvas as the dark square of a map, at the resolution of the screen: what the functions below draw
 * on, { context, side, ratio, place }; null while the canvas has no width. `place([x, y])` is where a
 * point lies on it, both coordinates from -extent to extent.
 */
export function openMap(canvas, extent) {
  const width = canvas.clientWidth;
  if (!width) return null;
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const side = Math.round(width * ratio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const place = ([x, y]) => [((1 + x / extent) * side) / 2, ((1 - y / extent) * side) / 2];
  context.fillStyle = `rgb(${PAPER})`;
  context.fillRect(0, 0, side, side);
  return { context, side, ratio, place };
}

/** The ten numerals as small pictures, so that thousands of them are drawn in no time. */
export function numeralPictures(colours, size, ratio) {
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

/** Each code as its numeral; those of class `only` in front of the others, which are faint. */
export function drawCodes({ context, place }, codes, pictures, only) {
  const half = pictures[0].width / 2;
  for (const front of only === null ? [false] : [false, true]) {
    for (let i = 0; i < codes.labels.length; i++) {
      if (only !== null && (codes.labels[i] === only) !== front) continue;
      const [x, y] = place([codes.x[i], codes.y[i]]);
      context.globalAlpha = only === null ? 0.9 : front ? 1 : 0.13;
      context.drawImage(pictures[codes.labels[i]], Math.round(x - half), Math.round(y - half));
    }
  }
  context.globalAlpha = 1;
}

/** Lines through 0, and whole numbers along the lower and the left edge. */
export function drawAxes({ context, side, ratio, place }, extent) {
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
  const write = (text, x, y, align) => {
    context.textAlign = align;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(extent / 6))); // 1 up to an extent of 6
  for (let v = -Math.floor(extent / step) * step; v < extent; v += step) {
    const [x, y] = place([v, v]);
    if (Math.min(x, side - x) < 16 * ratio) continue; // too near to a corner
    write(minus(v), x, side - 9 * ratio, "center");
    if (side - y > 24 * ratio) write(minus(v), 5 * ratio, y, "left");
  }
}

/**
 * The handle over a map or a picture: dragged, or moved by keys. Both coordinates go from -reach() to
 * reach(), a key moves by keyStep(), with Shift five times as far. `onMove(point)` hears where it is to
 * go, `onEnd()` that it is let go.
 */
export function mapPad({ canvas, name = "Map of the latent plane", reach, keyStep, describedBy, point, onMove, onEnd }) {
  const crossX = h("span", { class: "cw-plane-cross cw-plane-cross-x" });
  const crossY = h("span", { class: "cw-plane-cross cw-plane-cross-y" });
  const handle = h("span", { class: "cw-plane-handle" });
  const pad = h(
    "div",
    { class: "cw-plane-pad", tabindex: "0", role: "application", "aria-label": name, "aria-describedby": describedBy },
    canvas,
    crossX,
    crossY,
    handle,
  );
  let pointer = null;
  function follow(event) {
    const box = pad.getBoundingClientRect();
    const x = (2 * (event.clientX - box.left)) / box.width - 1;
    const y = 1 - (2 * (event.clientY - box.top)) / box.height;
    onMove([x * reach(), y * reach()]);
  }
  pad.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    pad.setPointerCapture(pointer);
    follow(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) follow(event);
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    pad.addEventListener(type, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      onEnd();
    });
  }
  pad.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const step = keyStep() * (event.shiftKey ? 5 : 1);
    onMove(point().map((v, axis) => v + MOVES[event.key][axis] * step));
  });
  return {
    element: pad,
    show(z) {
      const [x, y] = z.map((v) => (50 * (1 + clamp(v / reach(), -1, 1))).toFixed(3));
      crossX.style.left = handle.style.left = `${x}%`;
      crossY.style.top = handle.style.top = `${100 - y}%`;
    },
  };
}
