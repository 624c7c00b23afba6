// fields.js - labelled sliders and menus.

import { freshId, h } from "./dom.js";

/** A slider with its name and value above it. `text(v)` is what is read; `spoken(v)` is what is heard. */
export function rangeField({ name, min, max, step, text, spoken = text, onInput, onChange, ends = [] }) {
  const id = freshId();
  const output = h("output", { class: "cw-value", for: id });
  const input = h("input", { type: "range", id, min, max, step });
  if (onInput) input.addEventListener("input", () => onInput(Number(input.value)));
  if (onChange) input.addEventListener("change", () => onChange(Number(input.value)));
  const element = h(
    "div",
    { class: "cw-field" },
    h("span", { class: "cw-field-row" }, h("label", { class: "cw-title", for: id }, name), output),
    input,
  );
  if (ends.length) element.append(h("span", { class: "cw-field-row cw-ends", "aria-hidden": "true" }, ...ends.map((end) => h("span", {}, end))));
  return {
    element,
    input,
    show(value) {
      input.value = value;
      output.textContent = text(value);
      input.setAttribute("aria-valuetext", spoken(value));
    },
  };
}

/** A menu with its name above it: `options` are [value, text]. */
export function selectField({ name, options, onChange }) {
  const id = freshId();
  const input = h("select", { id, class: "cw-select", onchange: () => onChange(input.value) }, ...options.map(([value, text]) => h("option", { value }, text)));
  return {
    element: h("div", { class: "cw-field" }, h("label", { class: "cw-title", for: id }, name), input),
    input,
    show(value) {
      input.value = value;
    },
  };
}
