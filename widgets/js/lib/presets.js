// presets.js - named cases to look at, each with its reason.

import { button, h } from "./dom.js";

/**
 * A button for each preset `{ name, why }`, and below them the reason of the one that holds.
 *
 * `choose(preset)` is called when one is pressed. `show(preset)`, called at each redraw, marks the one
 * that holds; where none does, the reason reads `none`.
 */
export function presetRow(presets, choose, { label = "Settings to try", none = "" } = {}) {
  const buttons = presets.map((preset) => button(preset.name, () => choose(preset)));
  const why = h("p", { class: "cw-why" });
  const row = h("div", { class: "cw-buttons", role: "group", "aria-label": label }, ...buttons);
  const element = h("div", { class: "cw-presets", hidden: !presets.length }, row, why);

  function show(chosen) {
    buttons.forEach((element, k) => element.setAttribute("aria-pressed", String(presets[k] === chosen)));
    why.textContent = chosen?.why ?? none;
  }

  return { element, show };
}
