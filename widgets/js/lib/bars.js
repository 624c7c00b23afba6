// bars.js - bars with a name and a value: one for each digit, or for other classes.

import { h } from "./dom.js";

/**
 * Bars named `names`, with their values in text. The classes begin with `prefix`; `valueClass` is that of
 * the texts. With `noted`, each has a second text between its name and its bar.
 */
export function classBars({ names, prefix, valueClass, label, noted = false }) {
  const rows = names.map((name) => {
    const fill = h("span", { class: `cw-fill ${prefix}-fill` });
    const text = h("span", { class: `cw-bar-value ${valueClass}` });
    const note = h("span", { class: `cw-bar-value ${prefix}-note` });
    const row = h("li", {}, h("span", { class: `${prefix}-name` }, name), ...(noted ? [note] : []), h("span", { class: "cw-track" }, fill), text);
    return { row, fill, text, note };
  });
  return {
    element: h("ul", { class: `cw-bars ${prefix}-bars`, "aria-label": label }, ...rows.map(({ row }) => row)),
    /** Lengths in -1 to 1; `marks` name classes and the number of the bar that has them. */
    show(lengths, texts, marks = {}, notes = []) {
      rows.forEach(({ row, fill, text, note }, k) => {
        fill.style.transform = `scaleX(${lengths[k]})`;
        text.textContent = texts[k];
        note.textContent = notes[k] ?? "";
        for (const [name, marked] of Object.entries(marks)) row.classList.toggle(name, k === marked);
      });
    },
  };
}

/** Ten bars, one for each digit. */
export const digitBars = (options) => classBars({ names: Array.from({ length: 10 }, (_, digit) => String(digit)), ...options });
