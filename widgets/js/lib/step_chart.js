// step_chart.js - lines over the steps of a training, and faint those of the training before.

import { chart, corners } from "./chart.js";
import { h, setAll, svg } from "./dom.js";
import { clamp, grouped } from "./numbers.js";

/**
 * A chart of lines over the steps; `scale(value)` is where a value lies between bottom (0) and top (1), and
 * `colours` are "orange" or "accent", one for each line.
 */
export function stepChart({ name, marks, scale: share, colours }) {
  const plot = chart({ wide: 340, tall: 150, edge: { left: 56, right: 10, top: 10, bottom: 24 }, label: name });
  for (const [value, text] of marks) plot.element.append(plot.across(plot.y(share(value))), plot.beside(plot.y(share(value)), text));
  const lines = colours.map((colour) => svg("polyline", { class: `sc-line sc-${colour}` }));
  const ghosts = colours.map((colour) => svg("polyline", { class: `sc-line sc-ghost sc-${colour}` }));
  const end = plot.below(plot.right, "");
  end.setAttribute("text-anchor", "end");
  plot.element.append(...ghosts, ...lines, plot.below(plot.left, "0"), end);
  return {
    element: h("figure", { class: "sc-chart" }, h("figcaption", { class: "cw-title" }, name), plot.element),
    /** `series`: for each line its [step, value], and so `before`, of the network before; `last` is the last step of all. */
    show(series, before, last) {
      const draw = (elements, all) =>
        all.forEach((points, k) => {
          const placed = points.map(([step, value]) => [plot.x(step / Math.max(1, last)), plot.y(clamp(share(value), 0, 1))]);
          setAll(elements[k], { points: corners(placed) });
        });
      draw(lines, series);
      draw(ghosts, before);
      end.textContent = last ? `step ${grouped(last)}` : "";
    },
  };
}
