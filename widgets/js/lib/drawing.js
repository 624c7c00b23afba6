// drawing.js - an area to draw in with mouse, finger, pen, or keys.

import { INK, LOWERS, PAPER, PIXELS, SIDE, RAISES, mix } from "./pictures.js";
import { button, freshId, h } from "./dom.js";
import { clamp } from "./numbers.js";

const RESOLUTION = 560; // pixels of the canvas, twice its largest size on the page
const PEN_WIDTH = 0.075; // of the drawing area
const KEY_STEP = 1 / 28;
const CLOSEST = 0.003; // points nearer than this to the one before add nothing
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * A canvas to draw on with mouse, finger, pen, or keys. Strokes are lists of points {x, y}, both in
 * 0-1. Calls `onStart` before a stroke begins, `onChange` after every movement, `onEnd` when the pen is
 * lifted, `onClear` and `onUndo` on the keys and buttons for that, and `say` with what a keyboard user
 * must hear. Elements: `paper` (the canvas, and on it a `hint`), two buttons, and `note`, its help.
 */
export function drawingArea({ onStart = () => {}, onChange, onEnd, onClear, onUndo, say }) {
  const helpId = freshId();
  const canvas = h("canvas", {
    class: "cw-digit cw-draw",
    width: RESOLUTION,
    height: RESOLUTION,
    tabindex: "0",
    role: "application",
    "aria-label": "Drawing area",
    "aria-describedby": helpId,
  });
  const hint = h("span", { class: "cw-hint", "aria-hidden": "true" }, "Draw a digit here");
  const note = h(
    "p",
    { class: "cw-note", id: helpId },
    "Draw with mouse, finger or pen. With keys: arrows move the pen, Space lowers and lifts it, Delete clears.",
  );
  const cursor = { x: 0.5, y: 0.3 }; // of the keyboard
  const held = new Set(); // arrow keys that are down: two of them draw a diagonal
  let strokes = [];
  let stroke = null; // the one being drawn
  let pointer = null; // the mouse button, finger or pen that draws it
  let keyboard = false; // whether to show the cursor

  function begin(point) {
    onStart();
    stroke = [{ ...point }];
    strokes.push(stroke);
    onChange();
  }

  function extend(point) {
    const last = stroke[stroke.length - 1];
    if (Math.hypot(point.x - last.x, point.y - last.y) < CLOSEST) return;
    stroke.push({ ...point });
    onChange();
  }

  function end() {
    if (!stroke) return;
    stroke = null;
    pointer = null;
    onEnd();
  }

  function pointOf(event) {
    const box = canvas.getBoundingClientRect();
    return {
      x: clamp((event.clientX - box.left) / box.width, 0, 1),
      y: clamp((event.clientY - box.top) / box.height, 0, 1),
    };
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return; // a second finger, or another button
    end(); // a stroke of the keyboard
    keyboard = false;
    begin(pointOf(event));
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const e of passed.length ? passed : [event]) extend(pointOf(e));
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(type, (event) => {
      if (event.pointerId === pointer) end();
    });
  }

  function press(key) {
    if (key in ARROWS) {
      held.add(key);
      for (const arrow of held) {
        cursor.x = clamp(cursor.x + ARROWS[arrow][0] * KEY_STEP, 0, 1);
        cursor.y = clamp(cursor.y + ARROWS[arrow][1] * KEY_STEP, 0, 1);
      }
      if (stroke) extend(cursor);
    } else if (key === " ") {
      if (stroke) {
        end();
      } else {
        begin(cursor);
        say("Pen down.");
      }
    } else if (key === "Delete" || key === "Backspace" || key === "Escape") {
      onClear();
    } else {
      return false;
    }
    return true;
  }

  canvas.addEventListener("keydown", (event) => {
    if (pointer !== null || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z") return;
      onUndo();
    } else {
      if (event.key === " " && event.repeat) return event.preventDefault();
      if (!press(event.key)) return;
      keyboard = true;
    }
    event.preventDefault(); // no scrolling
    event.stopPropagation();
    onChange();
  });
  canvas.addEventListener("keyup", (event) => held.delete(event.key));
  canvas.addEventListener("focus", () => {
    keyboard = canvas.matches(":focus-visible");
    onChange();
  });
  canvas.addEventListener("blur", () => {
    held.clear();
    keyboard = false;
    if (pointer === null) end();
    onChange();
  });

  /** Paint the strokes, or `picture` (784 values of 0-255) in their place. */
  function redraw(picture) {
    const context = canvas.getContext("2d");
    const size = RESOLUTION;
    context.fillStyle = `rgb(${PAPER})`;
    context.fillRect(0, 0, size, size);
    if (picture) {
      const cell = size / SIDE;
      for (let k = 0; k < PIXELS; k++) {
        if (picture[k] === 0) continue;
        context.fillStyle = `rgb(${mix(picture[k] / 255, INK)})`;
        context.fillRect((k % SIDE) * cell, Math.floor(k / SIDE) * cell, cell, cell);
      }
    }
    context.strokeStyle = "rgb(255 255 255 / 0.09)"; // a quiet grid
    context.lineWidth = 2;
    for (let i = 1; i < 4; i++) {
      context.strokeRect((i * size) / 4, -2, size, size + 4);
      context.strokeRect(-2, (i * size) / 4, size + 4, size);
    }
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = PEN_WIDTH * size;
    context.strokeStyle = `rgb(${INK})`;
    for (const points of strokes) {
      context.beginPath();
      context.moveTo(points[0].x * size, points[0].y * size);
      for (const { x, y } of points) context.lineTo(x * size, y * size);
      context.stroke();
    }
    if (keyboard) {
      context.beginPath();
      context.arc(cursor.x * size, cursor.y * size, 0.045 * size, 0, 2 * Math.PI);
      context.lineWidth = 10;
      context.strokeStyle = `rgb(${PAPER})`;
      context.stroke();
      context.lineWidth = 5;
      context.strokeStyle = `rgb(${stroke ? RAISES : LOWERS})`;
      context.stroke();
    }
  }

  return {
    canvas,
    hint,
    note,
    paper: h("div", { class: "cw-paper" }, canvas, hint),
    undoButton: button("Undo stroke", () => onUndo()),
    clearButton: button("Clear", () => onClear()),
    redraw,
    strokes: () => strokes,
    undo() {
      stroke = pointer = null;
      strokes.pop();
    },
    clear() {
      stroke = pointer = null;
      strokes = [];
    },
  };
}
