// bars.js - ten bars, one for each digit.

import { h } from "./dom.js";

/** Ten bars with their values in text. The classes begin with `prefix`; `valueClass` is that of the texts. */
export function digitBars({ prefix, valueClass, label }) {
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const fill = h("span", { class: `cw-fill ${prefix}-fill` });
    const text = h("span", { class: `cw-bar-value ${valueClass}` });
    const row = h("li", {}, h("span", { class: `${prefix}-name` }, String(digit)), h("span", { class: "cw-track" }, fill), text);
    return { row, fill, text };
  });
  return {
    element: h("ul", { class: `cw-bars ${prefix}-bars`, "aria-label": label }, ...rows.map(({ row }) => row)),
    /** Lengths in -1 to 1; `marks` name classes and the digit that has them. */
    show(lengths, texts, marks = {}) {
      rows.forEach(({ row, fill, text }, digit) => {
        fill.style.transform = `scaleX(${lengths[digit]})`;
        fill.classList.toggle("cw-negative", lengths[digit] < 0);
        text.textContent = texts[digit];
        for (const [name, marked] of Object.entries(marks)) row.classList.toggle(name, digit === marked);
      });
    },
  };
}
