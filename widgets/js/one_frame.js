// one_frame.js - a window over a sound, its spectrum as one column, and a mask to paint and to hear.

import { toBytes } from "./lib/bytes.js";
import { chart, corners } from "./lib/chart.js";
import { button, h, paint, setAll, svg, title } from "./lib/dom.js";
import { checkField, rangeField } from "./lib/fields.js";
import { clamp, minus } from "./lib/numbers.js";
import { fromMuLaw, istft, siSdr, stft } from "./lib/sound.js";
import { heat, soundPlayer } from "./lib/sound_player.js";
import { inStep } from "./lib/step.js";

const SOUND_RATE = 8000;
const DEPTH = 60; // dB from dark to bright, and of the spectrum's chart
const KEPT = 255;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const dB = (value) => `${minus(value.toFixed(1))} dB`;

function render({ model, el }) {
  const { window: size, hop, samples, bands, wide } = model.get("_settings");
  const sounds = fromMuLaw(toBytes(model.get("_sounds")));
  const clean = sounds.subarray(0, samples);
  const noisy = sounds.subarray(samples);
  const spectrum = stft(noisy, size, hop);
  const { bins, frames } = spectrum;
  const columns = Math.ceil(frames / wide);
  const magnitude = spectrum.re.map((v, k) => Math.hypot(v, spectrum.im[k]));
  const loudest = magnitude.reduce((a, b) => Math.max(a, b), 1e-9);
  const level = magnitude.map((m) => Math.max(-DEPTH, 20 * Math.log10(m / loudest + 1e-9)));
  const band = Uint16Array.from({ length: bins }, (_, bin) => Math.floor((bin * bands) / bins));
  const cellOf = (bin, frame) => band[bin] * columns + Math.floor(frame / wide);
  const step = inStep(model, ["frame", "mask"]);
  const { state } = step;
  let heard = null; // the mask that the player plays
  let masked = null;
  let bring = false; // the brush brings back what was taken away
  const cursor = { column: 0, row: bands >> 1 };

  // -- the sound and its window
  const wave = chart({ wide: 680, tall: 120, edge: { left: 4, right: 4, top: 4, bottom: 4 } });
  const most = noisy.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-6);
  const points = Array.from({ length: 680 }, (_, i) => {
    const part = noisy.subarray(Math.floor((i * samples) / 680), Math.floor(((i + 1) * samples) / 680) + 1);
    const x = wave.x((i + 0.5) / 680);
    return [[x, wave.y(0.5 + Math.max(...part) / most / 2)], [x, wave.y(0.5 + Math.min(...part) / most / 2)]];
  }).flat();
  const bump = svg("polygon", { class: "of-bump" });
  wave.element.append(svg("polyline", { class: "of-wave", points: corners(points) }), bump);
  setAll(wave.element, { class: "cw-chart of-drag", "aria-label": "The noisy sound, with a window over one frame" });

  // -- the spectrum of the frame
  const curve = chart({ wide: 680, tall: 170, edge: { left: 44, right: 8, top: 8, bottom: 26 } });
  for (const v of [0, -20, -40, -60]) curve.element.append(curve.across(curve.y(1 + v / DEPTH)), curve.beside(curve.y(1 + v / DEPTH), minus(v)));
  for (const kilo of [0, 1, 2, 3, 4]) curve.element.append(curve.below(curve.x(kilo / 4), `${kilo} kHz`));
  const before = svg("polyline", { class: "of-before" });
  const after = svg("polyline", { class: "of-after" });
  curve.element.append(before, after);

  // -- the plane, on which the mask is painted
  const canvas = h("canvas", { class: "of-canvas", width: frames, height: bins, tabindex: "0", role: "application", "aria-label": "Spectrogram to paint a mask on" });
  const mark = h("div", { class: "of-mark", "aria-hidden": "true" });
  const pen = h("div", { class: "of-pen", "aria-hidden": "true" });
  const plane = h("div", { class: "of-plane" }, canvas, mark, pen);

  const slider = rangeField({
    name: "Frame",
    min: 0,
    max: frames - 1,
    step: 1,
    text: (v) => `${v}, at ${((v * hop) / SOUND_RATE).toFixed(2)} s`,
    onInput: (frame) => step.move({ frame }),
    onChange: (frame) => step.commit({ frame }),
  });
  const brush = checkField({ name: "Brush brings back", onChange: (on) => { bring = on; } });
  const fill = (value) => new Uint8Array(bands * columns).map((_, cell) => value(Math.floor(cell / columns), cell));
  const presets = [
    button("Keep all", () => step.commit({ mask: fill(() => KEPT) })),
    button("Only below 1 kHz", () => step.commit({ mask: fill((row) => (row < bands / 4 ? KEPT : 0)) })),
    button("Ask the oracle", () => step.commit({ mask: oracle() })),
  ];
  const player = soundPlayer({ takes: [["noisy", "Noisy"], ["masked", "Masked"], ["clean", "Clean"]], rate: SOUND_RATE, size, hop });
  const story = h("p", { class: "of-story" });
  const root = h(
    "div",
    { class: "cw of", role: "group", "aria-label": "One frame at a time", onkeydown: (event) => player.keys(event) },
    title("The sound, and the window: drag it"),
    wave.element,
    slider.element,
    title("Spectrum of this frame in dB: noisy, and after the mask (orange)"),
    curve.element,
    title("All spectra side by side: paint away what is noise"),
    plane,
    h("div", { class: "cw-buttons" }, ...presets, brush.element),
    story,
    player.transport,
    ...player.rows,
    h("p", { class: "cw-note" }, "Paint with mouse, finger or pen. With keys, on the picture: arrows move the brush, Space paints. Time to the right, 0 to 4 kHz upward. Each cell of the mask is four frames wide and 170 Hz high; the network's are one frame wide and 16 Hz high. The keys 1, 2, 3 choose what you hear."),
  );

  /** The speech's share of the power in each cell of the mask, 0 to 255. */
  function oracle() {
    const speech = new Float64Array(bands * columns);
    const rest = new Float64Array(bands * columns);
    const S = stft(clean, size, hop);
    for (let k = 0; k < bins * frames; k++) {
      const cell = cellOf(Math.floor(k / frames), k % frames);
      speech[cell] += S.re[k] ** 2 + S.im[k] ** 2;
      rest[cell] += (spectrum.re[k] - S.re[k]) ** 2 + (spectrum.im[k] - S.im[k]) ** 2;
    }
    return fill((_, cell) => Math.round((KEPT * speech[cell]) / (speech[cell] + rest[cell] + 1e-12)));
  }

  /** A spot of the brush, three cells wide and high. */
  function spot(column, row) {
    const mask = state.mask.slice();
    for (let r = Math.max(0, row - 1); r <= Math.min(bands - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++) mask[r * columns + c] = bring ? KEPT : 0;
    }
    step.move({ mask });
  }

  /** `act(x, y)`, both 0 to 1 from the lower left, while a pointer is down on `element`. */
  function whileDown(element, act) {
    let pointer = null;
    const at = (event) => {
      const box = element.getBoundingClientRect();
      act(clamp((event.clientX - box.left) / box.width, 0, 0.9999), clamp(1 - (event.clientY - box.top) / box.height, 0, 0.9999));
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || pointer !== null) return;
      pointer = event.pointerId;
      element.setPointerCapture(pointer);
      at(event);
    });
    element.addEventListener("pointermove", (event) => event.pointerId === pointer && at(event));
    for (const type of ["pointerup", "pointercancel"]) {
      element.addEventListener(type, (event) => {
        if (event.pointerId !== pointer) return;
        pointer = null;
        step.rest();
      });
    }
  }
  whileDown(wave.element, (x) => step.move({ frame: Math.round(x * (frames - 1)) }));
  whileDown(canvas, (x, y) => spot(Math.floor(x * columns), Math.floor(y * bands)));
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in MOVES) {
      cursor.column = clamp(cursor.column + MOVES[event.key][0], 0, columns - 1);
      cursor.row = clamp(cursor.row + MOVES[event.key][1], 0, bands - 1);
      showPen();
    } else if (event.key === " ") spot(cursor.column, cursor.row);
    else return;
    event.preventDefault();
  });

  function showPen() {
    setAll(pen, { style: `left:${(100 * (cursor.column - 1)) / columns}%;bottom:${(100 * (cursor.row - 1)) / bands}%;width:${300 / columns}%;height:${300 / bands}%` });
  }

  function sound() {
    heard = state.mask.slice();
    const gains = new Float32Array(bins * frames);
    for (let k = 0; k < gains.length; k++) gains[k] = heard[cellOf(Math.floor(k / frames), k % frames)] / KEPT;
    masked = istft(spectrum, gains, samples, size, hop);
    player.set({ noisy, masked, clean }, { noisy: `SI-SDR ${dB(siSdr(noisy, clean))}`, masked: `SI-SDR ${score()}`, clean: "the target" });
  }
  const score = () => (masked.some((v) => v) ? dB(siSdr(masked, clean)) : "none: silence");

  function strongest() {
    let best = 0;
    for (let bin = 1; bin < bins; bin++) if (magnitude[bin * frames + state.frame] > magnitude[best * frames + state.frame]) best = bin;
    return Math.round((best * SOUND_RATE) / size);
  }

  const unheard = () => !heard?.every((v, k) => v === state.mask[k]);
  const words = () => `Frame ${state.frame} is strongest at ${strongest()} Hz. SI-SDR: noisy ${dB(siSdr(noisy, clean))}, masked ${score()}.`;
  function sentence() {
    if (unheard()) sound(); // too slow for every movement of the brush
    return words();
  }

  function draw() {
    slider.show(state.frame);
    const x = (sample) => wave.x(clamp(sample / samples, 0, 1));
    const top = Array.from({ length: 33 }, (_, i) => [x(state.frame * hop + (i / 32 - 0.5) * size), wave.y(0.95 * Math.sin((Math.PI * i) / 32) ** 2)]);
    setAll(bump, { points: corners([...top, [x(state.frame * hop + size / 2), wave.y(0)], [x(state.frame * hop - size / 2), wave.y(0)]]) });
    const line = (of) => corners(Array.from({ length: bins }, (_, bin) => [curve.x(bin / (bins - 1)), curve.y(clamp(1 + of(bin) / DEPTH, 0, 1))]));
    const here = (bin) => level[bin * frames + state.frame];
    setAll(before, { points: line(here) });
    setAll(after, { points: line((bin) => here(bin) + 20 * Math.log10(state.mask[cellOf(bin, state.frame)] / KEPT + 1e-9)) });
    setAll(curve.element, { "aria-label": `Spectrum of frame ${state.frame}, strongest at ${strongest()} Hz` });
    paint(canvas, frames, bins, (k) => {
      const bin = bins - 1 - Math.floor(k / frames);
      const gain = state.mask[cellOf(bin, k % frames)] / KEPT;
      return heat(1 + level[bin * frames + (k % frames)] / DEPTH).map((v, i) => gain * v + (1 - gain) * [70, 78, 92][i]);
    });
    setAll(mark, { style: `left:${(100 * state.frame) / frames}%;width:${100 / frames}%` });
    if (!unheard()) story.textContent = words();
  }

  const rested = () => {
    story.textContent = sentence();
  };
  sound();
  showPen();
  root.oneFrame = { // for tests and for the curious
    spectrum: () => Array.from({ length: bins }, (_, bin) => magnitude[bin * frames + state.frame]),
    masked: () => [...masked],
  };
  return step.mount({ el, root, draw, sentence, rested, jobs: [{ cancel: () => player.destroy() }] });
}

export default { render };
