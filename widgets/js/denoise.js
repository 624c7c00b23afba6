// denoise.js - a clip, a noise, a level: the packed denoiser cleans the mixture in the page.

import { makeNet, toArrayBuffer } from "./lib/engine.js";
import { h, oncePerFrame, ready } from "./lib/dom.js";
import { rangeField, selectField } from "./lib/fields.js";
import { fromMuLaw, istft, makeNoise, mix, rms, siSdr, stft } from "./lib/sound.js";
import { uniform } from "./lib/random.js";
import { soundPlayer } from "./lib/sound_player.js";

const RATE = 8000;
const FLOOR = 0.15; // the share of frames below the noise floor of a bin
const NOISES = { white: "White", pink: "Pink", hum: "Mains hum", clicks: "Clicks", babble: "Babble of voices" };
const TAKES = [["noisy", "Noisy"], ["enhanced", "Enhanced"], ["clean", "Clean"]];

const decibels = (value) => `${value.toFixed(1).replace("-", "−")} dB`;

/** What the net is shown: log magnitude and its height above each bin's floor, [2 * bins][frames]. */
function features({ bins, frames, re, im }) {
  const out = new Float32Array(2 * bins * frames);
  const size = bins * frames;
  let power = 0;
  for (let k = 0; k < size; k++) power += re[k] * re[k] + im[k] * im[k];
  const scale = Math.sqrt(power / size) || 1;
  for (let k = 0; k < size; k++) out[k] = Math.log(Math.hypot(re[k], im[k]) / scale + 1e-3);
  const rank = Math.max(1, Math.floor(FLOOR * frames)) - 1;
  for (let bin = 0; bin < bins; bin++) {
    const row = out.subarray(bin * frames, (bin + 1) * frames);
    const floor = row.slice().sort()[rank];
    for (let t = 0; t < frames; t++) {
      out[size + bin * frames + t] = (row[t] - floor) / 2 - 0.5;
      row[t] = row[t] / 2 + 1;
    }
  }
  return out;
}

async function render({ model, el }) {
  const { window: size, hop, samples } = model.get("_settings");
  const net = makeNet(model.get("_spec"), model.get("_weights"));
  const names = model.get("_names");
  const all = fromMuLaw(new Uint8Array(toArrayBuffer(model.get("_clips"))));
  const clips = names.map((_, k) => all.subarray(k * samples, (k + 1) * samples));
  const voices = all.subarray(names.length * samples); // babble, which travels behind the clips
  let own = null; // the reader's recording
  let clip = model.get("clip");
  let noise = model.get("noise");
  let snr = model.get("snr");
  let made = null;

  // -- elements
  const clipBox = selectField({
    name: "Clean speech",
    options: names.map((name, k) => [String(k), name]),
    onChange(value) {
      clip = Number(value);
      commit();
    },
  });
  const noiseBox = selectField({
    name: "Noise",
    options: Object.entries(NOISES),
    onChange(value) {
      noise = value;
      commit();
    },
  });
  const slider = rangeField({
    name: "Signal-to-noise ratio",
    min: -5,
    max: 20,
    step: 1,
    text: (v) => `${String(v).replace("-", "−")} dB`,
    spoken: (v) => `${v} decibels`,
    onInput: (v) => slider.show(v),
    onChange(v) {
      snr = v;
      commit();
    },
  });
  const player = soundPlayer({ takes: TAKES, rate: RATE, size, hop });
  const record = h("button", { type: "button", class: "cw-button dn-record", onclick: () => recordOwn() }, "Record my voice");
  const live = h("p", { class: "cw-hidden", "aria-live": "polite" });
  const status = h("p", { class: "cw-note dn-status" });
  const root = h(
    "div",
    { class: "cw dn", role: "group", "aria-label": "Denoise speech in the page", onkeydown: (event) => player.keys(event) },
    h(
      "div",
      { class: "dn-controls" },
      clipBox.element,
      noiseBox.element,
      slider.element,
    ),
    record,
    player.transport,
    ...player.rows,
    status,
    h(
      "p",
      { class: "cw-note" },
      "Choose what you hear with the three buttons, or with the keys 1, 2, 3, while it plays. Spectrograms: time to " +
        `the right, 0 to ${RATE / 2000} kHz upward, 60 dB from dark to bright. The mixture is made and cleaned in ` +
        "this page; a recording of yours stays in it.",
    ),
    live,
  );

  // -- the work
  function compute() {
    const began = performance.now();
    const clean = clip < clips.length ? clips[clip] : own;
    const seed = 1 + clip * 10 + Object.keys(NOISES).indexOf(noise);
    const sound = noise === "babble" ? voices : makeNoise(noise, samples, RATE, uniform(seed));
    const noisy = mix(clean, sound, snr);
    const spectrum = stft(noisy, size, hop);
    const mask = net.forward(features(spectrum)).slice();
    const enhanced = istft(spectrum, mask, samples, size, hop);
    made = { noisy, enhanced, clean, mask };
    root.dataset.ms = (performance.now() - began).toFixed(1);
  }

  function draw() {
    slider.show(snr);
    const notes = { clean: "the target" };
    for (const key of ["noisy", "enhanced"]) notes[key] = `SI-SDR ${decibels(siSdr(made[key], made.clean))}`;
    player.set(made, notes);
  }

  function sentence() {
    const [before, after] = ["noisy", "enhanced"].map((key) => siSdr(made[key], made.clean));
    return `${NOISES[noise]} at ${snr} dB: SI-SDR ${decibels(before)} noisy, ${decibels(after)} enhanced.`;
  }

  async function recordOwn() {
    player.stop();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { noiseSuppression: false, autoGainControl: false } });
    } catch (error) {
      say(`No recording: ${error.message || "this page may not use a microphone"}.`);
      return;
    }
    try {
      say("Speak now, for two and a half seconds.");
      record.disabled = true;
      const recorder = new MediaRecorder(stream);
      const parts = [];
      recorder.ondataavailable = (event) => parts.push(event.data);
      const over = new Promise((done) => (recorder.onstop = done));
      recorder.start();
      await new Promise((done) => setTimeout(done, (1000 * samples) / RATE + 200));
      recorder.stop();
      await over;
      const decoder = new OfflineAudioContext(1, samples, RATE);
      const heard = (await decoder.decodeAudioData(await new Blob(parts).arrayBuffer())).getChannelData(0);
      const all = new Float32Array(samples);
      all.set(heard.subarray(0, samples));
      const loud = rms(all);
      if (!(loud > 1e-4)) {
        say("The recording is silent.");
        return;
      }
      own = all.map((v) => (v * 0.05) / loud);
      if (clipBox.input.options.length === clips.length) {
        clipBox.input.append(h("option", { value: String(clips.length) }, "My recording"));
      }
      clip = clips.length;
      say("Recorded; it stays in this page.");
      commit();
    } catch (error) {
      say(`No recording: ${error.message}.`);
    } finally {
      record.disabled = false;
      for (const track of stream.getTracks()) track.stop();
    }
  }

  function say(text) {
    status.textContent = text;
    live.textContent = text;
  }

  // -- in step with Python, and with other views of the same model
  function update() {
    compute();
    clipBox.show(String(clip));
    noiseBox.show(noise);
    draw();
    live.textContent = sentence();
  }

  function commit() {
    update();
    if (clip < clips.length) model.set("clip", clip);
    model.set("noise", noise);
    model.set("snr", snr);
    model.save_changes();
  }

  function pull() {
    const same = model.get("noise") === noise && model.get("snr") === snr;
    if (same && (clip === clips.length || model.get("clip") === clip)) return; // our own change
    clip = model.get("clip");
    noise = model.get("noise");
    snr = model.get("snr");
    update();
  }
  const pullSoon = oncePerFrame(pull);
  const watched = ["change:clip", "change:noise", "change:snr"];
  for (const name of watched) model.on(name, pullSoon);
  compute();
  draw();
  el.append(root);
  ready(root);

  // for tests and for the curious: document.querySelector(".dn").denoise.enhanced
  root.denoise = {
    get clean() {
      return made.clean.slice();
    },
    get noisy() {
      return made.noisy.slice();
    },
    get enhanced() {
      return made.enhanced.slice();
    },
    get mask() {
      return made.mask.slice();
    },
  };

  return () => {
    player.destroy();
    for (const name of watched) model.off(name, pullSoon);
    root.remove();
    pullSoon.cancel();
  };
}

export default { render };
