// fields.js - labelled sliders, menus and boxes to tick.

import { freshId, h } from "./dom.js";
import { clamp } from "./numbers.js";

const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };

/**
 * A slider with its name and value above it. `text(v)` is what is read; `spoken(v)` is what is heard. A
 * movement calls `onInput(v)`, its end `onChange(v)`. With `keyStep` the arrow keys move by so much, and
 * with Shift by five of them; with `perDecade` the slider is logarithmic and has so many positions from
 * 1 to 10. The parts can also be laid out in another way: label, output, input. `classes` are theirs.
 */
export function rangeField({ name, min, max, step, text = String, spoken = text, onInput, onChange, keyStep, perDecade, ends = [], classes = {} }) {
  const place = (v) => (perDecade ? perDecade * Math.log10(v) : v);
  const valueAt = (position) => (perDecade ? clamp(10 ** (position / perDecade), min, max) : position);
  const limits = perDecade ? { min: Math.floor(place(min)), max: Math.ceil(place(max)), step: 1 } : { min, max, step };
  let value = min;
  const id = freshId();
  const label = h("label", { class: classes.label ?? "cw-title", for: id }, ...[name].flat());
  const output = h("output", { class: `cw-value ${classes.output ?? ""}`, for: id });
  const input = h("input", { type: "range", id, class: classes.input, ...limits });
  function moved(to) {
    value = to;
    onInput?.(value);
  }
  input.addEventListener("input", () => moved(valueAt(Number(input.value))));
  if (onChange) input.addEventListener("change", () => onChange(valueAt(Number(input.value))));
  if (keyStep) {
    input.addEventListener("keydown", (event) => {
      if (!(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      moved(clamp(value + KEYS[event.key] * keyStep * (event.shiftKey ? 5 : 1), min, max));
    });
  }
  const row = h("span", { class: "cw-field-row" }, label, output);
  const element = h("div", { class: `cw-field ${classes.field ?? ""}` }, row, input);
  if (ends.length) element.append(h("span", { class: "cw-field-row cw-ends", "aria-hidden": "true" }, ...ends.map((end) => h("span", {}, end))));
  return {
    element,
    row,
    label,
    output,
    input,
    show(shown) {
      value = shown;
      input.value = place(value);
      output.textContent = text(value);
      input.setAttribute("aria-valuetext", spoken(value));
    },
  };
}

/** A menu with its name above it: `options` are [value, text]. */
export function selectField({ name, options, onChange, className = "" }) {
  const id = freshId();
  const input = h("select", { id, class: "cw-select", onchange: () => onChange(input.value) }, ...options.map(([value, text]) => h("option", { value }, text)));
  return {
    element: h("div", { class: `cw-field ${className}` }, h("label", { class: "cw-title", for: id }, name), input),
    input,
    show(value) {
      input.value = value;
    },
  };
}

/** A box to tick, or one of a `group` of which one is chosen, and its name behind it. */
export function checkField({ name, onChange, group, value, className = "" }) {
  const type = group ? "radio" : "checkbox";
  const input = h("input", { type, name: group, value, onchange: () => onChange(input.checked) });
  return { input, element: h("label", { class: `cw-check ${className}` }, input, name) };
}
