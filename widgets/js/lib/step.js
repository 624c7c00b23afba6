// step.js - when a front end works, and how it keeps its state and stays in step with Python.

import { toArrayBuffer, toBytes } from "./bytes.js";
import { h, ready } from "./dom.js";

// ---- when to work: each gives a function that asks for the work, with `.cancel()` -------------------

/** `work` at most once per animation frame; `.now()` does it at once. */
export function oncePerFrame(work) {
  let frame = 0;
  const request = () => {
    frame ||= requestAnimationFrame(request.now);
  };
  request.cancel = () => {
    cancelAnimationFrame(frame);
    frame = 0;
  };
  request.now = () => {
    request.cancel();
    work();
  };
  return request;
}

/** `work` once it has not been asked for during `ms`; `.now()` does it at once. */
export function afterQuiet(ms, work) {
  let timer = 0;
  const request = () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
  request.cancel = () => clearTimeout(timer);
  request.now = () => {
    request.cancel();
    work();
  };
  return request;
}

const SLICE = 8; // ms at a time, so that a frame is never missed
const LATEST = 100; // ms after which it is done without idle time

/** Work for the browser's idle time: `piece` does a small piece and returns whether more is left. */
export function whenIdle(piece) {
  const idle = globalThis.requestIdleCallback; // Safari has none; a quiet page may offer no idle time for seconds
  const wait = (work) => (idle ? idle(work, { timeout: LATEST }) : setTimeout(work, 16));
  const forget = globalThis.cancelIdleCallback ?? clearTimeout;
  let ticket = null;
  function slice() {
    ticket = null;
    const end = performance.now() + SLICE;
    let more = true;
    while (more && performance.now() < end) more = piece();
    if (more) request();
  }
  const request = () => {
    ticket ??= wait(slice);
  };
  request.cancel = () => {
    if (ticket !== null) forget(ticket);
    ticket = null;
  };
  return request;
}

// ---- in step with Python, and with other views of the same model -----------------------------------

const QUIET = 250; // ms without a movement until Python hears of it

/** A trait's value as a front end holds it: lists and bytes of its own. */
function received(value) {
  if (Array.isArray(value)) return [...value];
  return value?.byteLength === undefined ? value : toBytes(value);
}

/** A value on its way to the model: a copy, bytes as a DataView. */
function sent(value) {
  if (Array.isArray(value)) return [...value];
  return value instanceof Uint8Array ? new DataView(toArrayBuffer(value)) : value;
}

/** Whether two values are the same; NaN is the same as NaN. */
function same(a, b) {
  const equal = (v, w) => v === w || Object.is(v, w);
  return typeof a === "object" ? a.length === b.length && a.every((v, i) => equal(v, b[i])) : equal(a, b);
}

/**
 * The traits `names` of a model as the state of one view:
 *
 *   const step = inStep(model, ["index", "unit"]);
 *   step.state                     { index, unit }; bytes are a Uint8Array
 *   step.change({ index: 3 })      drawn with the next frame: while the reader moves
 *   step.move({ index: 3 })        the same, and Python hears of it after a quarter of a second of quiet
 *   step.rest()                    ... or at once; it hears what has changed
 *   step.commit({ unit: 2 })       drawn, said and told to Python at once, every trait of it
 *   return step.mount({ el, root, draw, sentence });    the view stands; this gives its cleanup
 *
 * `draw()` shows the state (`root.dataset.ms` is how long it took), `sentence()` puts it into words for
 * screen readers (none: nothing is said). If wanted, `pulled(changed)` hears which traits Python or
 * another view has set, before they are drawn, `rested()` that the state is drawn and said, and `jobs`
 * are cancelled at the end.
 */
export function inStep(model, names) {
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const read = () => Object.fromEntries(names.map((name) => [name, received(model.get(name))]));
  const state = read();
  let view = null;
  let telling = false; // the model is being told, and calls back

  function drawNow() {
    const began = performance.now();
    view.draw();
    view.root.dataset.ms = (performance.now() - began).toFixed(2);
  }
  const redraw = oncePerFrame(drawNow);

  function say(text) {
    if (text) live.textContent = text;
  }

  function differing() {
    const theirs = read();
    return names.filter((name) => !same(theirs[name], state[name]));
  }

  /** The state is drawn and said, and the model told of the traits `told`. */
  function finish(told) {
    settle.cancel();
    redraw.now();
    say(view.sentence());
    view.rested();
    if (!told.length) return;
    telling = true;
    for (const name of told) model.set(name, sent(state[name]));
    telling = false;
    model.save_changes();
  }
  const settle = afterQuiet(QUIET, () => finish(differing()));

  const pull = oncePerFrame(() => {
    const changed = differing();
    if (!changed.length) return; // our own change
    Object.assign(state, read());
    view.pulled(changed);
    finish([]);
  });

  function heard() {
    if (telling) return;
    if (names.length > 1) pull(); // they arrive one after the other
    else pull.now();
  }

  function change(values) {
    Object.assign(state, values);
    redraw();
  }

  return {
    state,
    live,
    say,
    change,
    move(values) {
      change(values);
      settle();
    },
    rest: settle.now,
    commit(values, told = names) {
      Object.assign(state, values);
      finish(told);
    },
    mount(given) {
      view = { sentence() {}, pulled() {}, rested() {}, jobs: [], ...given };
      drawNow();
      view.root.append(live);
      view.el.append(view.root);
      for (const name of names) model.on(`change:${name}`, heard);
      ready(view.root);
      return () => {
        for (const name of names) model.off(`change:${name}`, heard);
        view.root.remove(); // first: it may take the focus from the drawing area, which asks for a redraw
        for (const job of [redraw, pull, settle, ...view.jobs]) job.cancel();
      };
    },
  };
}
