// dom.js - small helpers that the widgets share.

/** An element: `h("button", { class: "cw-button", onclick: act }, "Clear")`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

let lastId = 0;

/** An id that no other element of the page has. */
export function freshId() {
  lastId += 1;
  return `cw-${lastId}-${Math.random().toString(36).slice(2, 8)}`;
}

/** A function that runs `work` at most once per animation frame; `.cancel()` drops a pending call. */
export function oncePerFrame(work) {
  let frame = 0;
  const request = () => {
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      work();
    });
  };
  request.cancel = () => {
    cancelAnimationFrame(frame);
    frame = 0;
  };
  return request;
}

/** Paint width x height pixels, `colour(k)` giving [red, green, blue] of pixel k in 0-255. */
export function paint(canvas, width, height, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let k = 0; k < width * height; k++) {
    const [red, green, blue] = colour(k);
    image.data[4 * k] = red;
    image.data[4 * k + 1] = green;
    image.data[4 * k + 2] = blue;
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** A share as per cent: "98 %", with one decimal if `digits` is 1; never 0 or 100 unless exactly so. */
export function percent(share, digits = 0) {
  const step = 10 ** -digits;
  const value = 100 * share;
  if (share > 0 && value < step / 2) return `< ${step} %`;
  if (share < 1 && value > 100 - step / 2) return `> ${100 - step} %`;
  return `${value.toFixed(digits)} %`;
}

/** A number with three significant digits, with powers of ten for small ones: "3.1 × 10⁻⁵". */
export function figure(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.001 && size < 1000)) return value.toPrecision(3).replace("-", "−");
  const [digits, power] = value.toExponential(1).split("e");
  const raised = [...String(Number(power))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
  return `${digits.replace("-", "−")} × 10${raised}`;
}

/** To be called when a widget stands: marks its root, and keeps JupyterLab's hands off its keys. */
export function ready(root) {
  // JupyterLab takes arrow keys and Escape away from the focused element unless that very element says so
  for (const element of root.querySelectorAll("button, input, select, summary, [tabindex]")) {
    element.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  root.dataset.cwReady = "1";
}
