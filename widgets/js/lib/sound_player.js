// sound_player.js - takes of one sound: all run in step, one is heard, each shows its spectrogram.

import { button, freshId, h, paint } from "./dom.js";
import { clamp } from "./numbers.js";
import { oncePerFrame } from "./step.js";
import { stft } from "./sound.js";

const RANGE = 60; // dB from dark to the brightest

/** Dark blue to yellow, for a share in [0, 1]; the same in light and dark mode. */
export function heat(share) {
  const stops = [[12, 16, 23], [40, 45, 110], [150, 55, 120], [235, 110, 70], [250, 230, 120]];
  const at = Math.min(Math.max(share, 0), 0.9999) * (stops.length - 1);
  const k = Math.floor(at);
  return stops[k].map((v, i) => v + (at - k) * (stops[k + 1][i] - v));
}

const seconds = (value) => `${value.toFixed(1)} s`;

/**
 * A player for `takes`, [[key, name], …]. `.set({ key: samples }, { key: note })` gives the sounds,
 * of one length; the notes stand beside the names. Loudness and colours are those of the loudest
 * take, so that takes compare. Elements: `transport` (play, position) and `rows`.
 */
export function soundPlayer({ takes, rate, size, hop }) {
  let sounds = null;
  let heard = takes[0][0];
  let context = null;
  let running = null; // { sources, began } while it plays
  let at = 0; // seconds, where it starts or stopped
  const length = () => (sounds ? sounds[takes[0][0]].length / rate : 0);

  const play = button("Play", () => (running ? stop() : start()), "sp-play");
  const placeId = freshId();
  const place = h("input", { type: "range", id: placeId, min: 0, max: 1, step: 0.1, value: 0, oninput: () => seek(Number(place.value)) });
  const placeText = h("output", { class: "sp-time", for: placeId }, seconds(0));
  const transport = h("div", { class: "sp-transport" }, play, h("label", { class: "cw-hidden", for: placeId }, "Position"), place, placeText);
  const rows = takes.map(([key, name], k) => {
    const canvas = h("canvas", { class: "sp-canvas", role: "img", "aria-label": "" });
    const head = h("div", { class: "sp-head", "aria-hidden": "true" });
    const note = h("span", { class: "sp-note" });
    const take = button(name, () => listen(key), "sp-take");
    take.prepend(h("span", { class: "sp-key", "aria-hidden": "true" }, String(k + 1)));
    const picture = h("div", { class: "sp-picture", onclick: (event) => point(event, key) }, canvas, head);
    return { key, name, canvas, head, note, take, element: h("div", { class: "sp-row" }, take, note, picture) };
  });

  function set(next, notes = {}) {
    const again = Boolean(running);
    stop();
    sounds = next;
    place.max = length().toFixed(1);
    if (at >= length()) at = 0;
    const spectra = rows.map(({ key }) => {
      const { bins, frames, re, im } = stft(sounds[key], size, hop);
      return { bins, frames, magnitude: re.map((v, k) => Math.hypot(v, im[k])) };
    });
    const loudest = spectra.reduce((all, { magnitude }) => magnitude.reduce((a, b) => Math.max(a, b), all), 1e-9);
    rows.forEach((row, r) => {
      const { bins, frames, magnitude } = spectra[r];
      row.canvas.width = frames;
      row.canvas.height = bins;
      paint(row.canvas, frames, bins, (k) => {
        const bin = bins - 1 - Math.floor(k / frames);
        return heat(1 + (20 * Math.log10(magnitude[bin * frames + (k % frames)] / loudest + 1e-9)) / RANGE);
      });
      row.note.textContent = notes[row.key] ?? "";
      row.canvas.setAttribute("aria-label", `Spectrogram, ${[row.name, notes[row.key]].filter(Boolean).join(": ")}`);
    });
    mark();
    show();
    if (again) start();
  }

  function start() {
    if (!sounds) return;
    try {
      context ??= new AudioContext();
    } catch {
      play.textContent = "No sound here"; // no Web Audio, or no sound device
      play.disabled = true;
      return;
    }
    context.resume();
    const loudest = takes.reduce((all, [key]) => sounds[key].reduce((a, v) => Math.max(a, Math.abs(v)), all), 1e-6);
    const began = context.currentTime + 0.05;
    const sources = takes.map(([key]) => {
      const buffer = context.createBuffer(1, sounds[key].length, rate);
      buffer.copyToChannel(sounds[key].map((v) => (0.8 * v) / loudest), 0);
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.loop = true;
      const gain = context.createGain();
      gain.gain.value = key === heard ? 1 : 0;
      source.connect(gain).connect(context.destination);
      source.start(began, at);
      return { key, source, gain };
    });
    running = { sources, began: began - at };
    play.textContent = "Stop";
    follow();
  }

  const nextFrame = oncePerFrame(follow);
  function follow() {
    if (!running) return;
    at = Math.max(0, context.currentTime - running.began) % length();
    show();
    nextFrame();
  }

  function stop() {
    if (!running) return;
    nextFrame.cancel();
    for (const { source } of running.sources) source.stop();
    running = null;
    play.textContent = "Play";
  }

  function seek(to) {
    const again = Boolean(running);
    stop();
    at = clamp(to, 0, Math.max(0, length() - 0.05));
    show();
    if (again) start();
  }

  function point(event, key) {
    const box = event.currentTarget.getBoundingClientRect();
    listen(key);
    seek(((event.clientX - box.left) / box.width) * length());
  }

  function listen(key) {
    heard = key;
    for (const part of running?.sources ?? []) part.gain.gain.setTargetAtTime(part.key === key ? 1 : 0, context.currentTime, 0.01);
    mark();
    show();
  }

  function mark() {
    for (const row of rows) row.take.setAttribute("aria-pressed", String(row.key === heard));
  }

  function show() {
    place.value = at;
    place.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${length().toFixed(1)} seconds`);
    placeText.textContent = seconds(at);
    for (const row of rows) {
      row.head.style.left = `${length() ? (100 * at) / length() : 0}%`;
      row.head.hidden = row.key !== heard || (!running && at === 0);
    }
  }

  /** Number keys choose what is heard; to be called from the widget's keydown. */
  function keys(event) {
    const row = rows[Number(event.key) - 1];
    if (!row || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    event.preventDefault();
    listen(row.key);
  }

  function destroy() {
    stop();
    context?.close();
  }

  mark();
  show();
  return { transport, rows: rows.map((row) => row.element), set, stop, listen, keys, destroy };
}
