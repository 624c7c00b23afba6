// dom.js - elements, pixels, and what every widget says of itself to the page.

/** An element: `h("p", { class: "cw-note", onclick: act }, "Text")`. */
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
  setAll(element, attributes);
  element.append(...children);
  return element;
}

/** Set several attributes. */
export function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

/** A button with a text on it. */
export function button(text, onclick, className = "") {
  return h("button", { type: "button", class: `cw-button ${className}`, onclick }, text);
}

/** A heading above a part of the widget. */
export const title = (text, className = "") => h("div", { class: `cw-title ${className}` }, text);

let lastId = 0;

/** An id that no other element of the page has. */
export function freshId() {
  lastId += 1;
  return `cw-${lastId}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Paint width x height pixels from (x, y) on, `colour(k)` giving [red, green, blue] of pixel k in 0-255. */
export function paint(canvas, width, height, colour, x = 0, y = 0) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let k = 0; k < width * height; k++) {
    const [red, green, blue] = colour(k);
    image.data[4 * k] = red;
    image.data[4 * k + 1] = green;
    image.data[4 * k + 2] = blue;
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, x, y);
}

/** To be called when a widget stands: marks its root, and keeps JupyterLab's hands off its keys. */
export function ready(root) {
  // JupyterLab takes arrow keys and Escape away from the focused element unless that very element says so
  for (const element of root.querySelectorAll("button, input, select, summary, [tabindex]")) {
    element.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  root.dataset.cwReady = "1";
}
