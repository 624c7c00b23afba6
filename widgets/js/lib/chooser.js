// chooser.js - test digits to pick from, and an area to draw one in.

import { toBytes } from "./bytes.js";
import { h } from "./dom.js";
import { drawingArea } from "./drawing.js";
import { strokesToDigit } from "./mnist.js";
import { inkToBytes, paintDigit, thumbnail, unstack } from "./pictures.js";
import { oncePerFrame } from "./step.js";

/** Buttons with the pictures `examples`: `onPick(k)` hears which one is pressed. */
export function digitThumbnails({ examples, labels, onPick }) {
  const images = unstack(toBytes(examples));
  const buttons = labels.map((label, k) => thumbnail(`Test digit ${k + 1}, labelled ${label}`, () => onPick(k)));
  buttons.forEach(({ canvas }, k) => paintDigit(canvas, images[k]));
  return {
    images,
    element: h("div", { class: "cw-thumbnails" }, ...buttons.map(({ element }) => element)),
    /** Mark test digit `k` as the one that is shown; -1: none. */
    mark: (k) => buttons.forEach(({ press }, i) => press(i === k)),
  };
}

/**
 * Test digits to pick from, and a section to draw one in. `onChoose(image, ended)` gets 784 bytes;
 * `ended` is false while a stroke is being drawn. `say` gets what a keyboard user must hear.
 */
export function digitChooser({ examples, labels, summary = "Or draw a digit, and encode that", onChoose, say }) {
  let drawn = 0; // points in the drawing that was chosen last
  const { images, element, mark } = digitThumbnails({
    examples,
    labels,
    onPick(k) {
      clear();
      onChoose(images[k].slice(), true);
    },
  });
  const area = drawingArea({
    onChange: () => look(false),
    onEnd: () => look(true),
    onClear: clear,
    onUndo() {
      area.undo();
      look(true);
    },
    say,
  });
  const section = h(
    "details",
    {},
    h("summary", {}, summary),
    h(
      "div",
      { class: "cw-chooser-drawing" },
      area.paper,
      h("div", { class: "cw-chooser-buttons" }, area.undoButton, area.clearButton),
      area.note,
    ),
  );

  const redraw = oncePerFrame(() => {
    const empty = area.strokes().length === 0;
    area.redraw(null);
    area.hint.hidden = !empty;
    area.undoButton.disabled = area.clearButton.disabled = empty;
  });

  /** Choose the drawing, if it has changed; an empty one leaves everything as it is. */
  function look(ended) {
    redraw();
    const points = area.strokes().flat().length;
    if (points && (points !== drawn || ended)) onChoose(inkToBytes(strokesToDigit(area.strokes())), ended);
    drawn = points;
  }

  function clear() {
    area.clear();
    drawn = 0;
    redraw();
  }

  redraw();
  return {
    thumbnails: element,
    section,
    images,
    mark,
    /** The number of the test digit that `image` is, or -1. */
    find: (image) => images.findIndex((other) => other.every((v, k) => v === image[k])),
    clear,
    cancel: () => redraw.cancel(),
  };
}
