// chart.js - the frame of a small drawing: its edges, and marks along them.

import { svg } from "./dom.js";

/** A drawing of `wide` x `tall`, with the room `edge` = { left, right, top, bottom } for marks around it. */
export function chart({ wide, tall, edge, className = "", label = "" }, ...children) {
  const left = edge.left;
  const right = wide - edge.right;
  const top = edge.top;
  const bottom = tall - edge.bottom;
  const line = (x1, y1, x2, y2) => svg("line", { class: "cw-grid", x1, y1, x2, y2 });
  const text = (content, x, y, anchor) => svg("text", { class: "cw-tick", x, y, "text-anchor": anchor }, content);
  return {
    element: svg("svg", { class: `cw-chart ${className}`, viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": label }, ...children),
    left,
    right,
    top,
    bottom,
    /** Where a share of the way to the right, or upwards, lies. */
    x: (share) => left + share * (right - left),
    y: (share) => bottom - share * (bottom - top),
    across: (y) => line(left, y, right, y),
    upright: (x) => line(x, top, x, bottom),
    text,
    beside: (y, content) => text(content, left - 8, y + 4, "end"),
    below: (x, content) => text(content, x, tall - 6, "middle"),
  };
}

/** Corners [[x, y], ...] as a polyline has them. */
export const corners = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
