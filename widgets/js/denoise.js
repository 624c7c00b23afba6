// denoise.js - a clip, a noise, a level: the packed denoiser cleans the mixture in the page.

import { toBytes } from "./lib/bytes.js";
import { makeNet } from "./lib/engine.js";
import { button, h } from "./lib/dom.js";
import { rangeField, selectField } from "./lib/fields.js";
import { minus, rms } from "./lib/numbers.js";
import { fromMuLaw, istft, makeNoise, mix, siSdr, stft } from "./lib/sound.js";
import { uniform } from "./lib/random.js";
import { soundPlayer } from "./lib/sound_player.js";
import { inStep } from "./lib/step.js";

const RATE = 8000;
const FLOOR = 0.15; // the share of frames below the noise floor of a bin
const NOISES = { white: "White", pink: "Pink", hum: "Mains hum", clicks: "Clicks", babble: "Babble of voices" };
const TAKES = [["noisy", "Noisy"], ["enhanced", "Enhanced"], ["clean", "Clean"]];

const decibels = (value) => `${minus(value.toFixed(1))} dB`;

// Why there is no recording, by the error's name: browsers' own messages are for programmers.
const NO_MICROPHONE = "no microphone was found";
const REASONS = {
  NotAllowedError: "the microphone was not allowed; the browser's settings for this page can allow it",
  NotFoundError: NO_MICROPHONE,
  OverconstrainedError: NO_MICROPHONE, // what some browsers say for it
  NotReadableError: "the microphone does not answer; another program may be using it",
  EncodingError: "this browser cannot read back what it has recorded",
};

function whyNot(error) {
  if (!globalThis.isSecureContext) return "a microphone needs https; this page came without it";
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder) return "this browser cannot record";
  return REASONS[error.name] ?? "the recording broke off";
}

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

function render({ model, el }) {
  const { window: size, hop, samples } = model.get("_settings");
  const net = makeNet(model.get("_net"));
  const names = model.get("_names");
  const all = fromMuLaw(toBytes(model.get("_clips")));
  const clips = names.map((_, k) => all.subarray(k * samples, (k + 1) * samples));
  const voices = all.subarray(names.length * samples); // babble, which travels behind the clips
  const step = inStep(model, ["clip", "noise", "snr"]);
  const { state } = step;
  let own = null; // the reader's recording
  let ownChosen = false; // it is the clean speech, of which Python hears nothing
  let made = null;
  const clip = () => (ownChosen ? clips.length : state.clip);

  // -- elements
  const clipBox = selectField({
    name: "Clean speech",
    options: names.map((name, k) => [String(k), name]),
    onChange: (value) => choose(Number(value)),
  });
  const noiseBox = selectField({ name: "Noise", options: Object.entries(NOISES), onChange: (noise) => step.commit({ noise }) });
  const slider = rangeField({
    name: "Signal-to-noise ratio",
    min: -5,
    max: 20,
    step: 1,
    text: (v) => `${minus(v)} dB`,
    spoken: (v) => `${v} decibels`,
    onInput: (v) => slider.show(v),
    onChange: (snr) => step.commit({ snr }),
  });
  const player = soundPlayer({ takes: TAKES, rate: RATE, size, hop });
  const record = button("Record my voice", () => recordOwn(), "dn-record");
  const status = h("p", { class: "cw-note dn-status" });
  const root = h(
    "div",
    { class: "cw dn", role: "group", "aria-label": "Denoise speech in the page", onkeydown: (event) => player.keys(event) },
    h("div", { class: "dn-controls" }, clipBox.element, noiseBox.element, slider.element),
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
  );

  // -- the work
  function compute() {
    const clean = ownChosen ? own : clips[state.clip];
    const seed = 1 + clip() * 10 + Object.keys(NOISES).indexOf(state.noise);
    const sound = state.noise === "babble" ? voices : makeNoise(state.noise, samples, RATE, uniform(seed));
    const noisy = mix(clean, sound, state.snr);
    const spectrum = stft(noisy, size, hop);
    const mask = net.forward(features(spectrum)).slice();
    const enhanced = istft(spectrum, mask, samples, size, hop);
    made = { noisy, enhanced, clean, mask };
  }

  const gain = (key) => decibels(siSdr(made[key], made.clean));

  function draw() {
    compute();
    clipBox.show(String(clip()));
    noiseBox.show(state.noise);
    slider.show(state.snr);
    player.set(made, { clean: "the target", noisy: `SI-SDR ${gain("noisy")}`, enhanced: `SI-SDR ${gain("enhanced")}` });
  }

  const sentence = () =>
    `${NOISES[state.noise]} at ${state.snr} dB: SI-SDR ${gain("noisy")} noisy, ${gain("enhanced")} enhanced.`;

  /** Take clip `k` as the clean speech; behind the last one lies the reader's own. */
  function choose(k) {
    ownChosen = k === clips.length;
    step.commit(ownChosen ? {} : { clip: k });
  }

  async function recordOwn() {
    player.stop();
    record.disabled = true; // before asking: a double click asks once
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { noiseSuppression: false, autoGainControl: false } });
      say("Speak now, for two and a half seconds.");
      const recorder = new MediaRecorder(stream);
      const parts = [];
      recorder.ondataavailable = (event) => parts.push(event.data);
      const over = new Promise((done) => {
        recorder.onstop = done;
      });
      recorder.start();
      await new Promise((done) => setTimeout(done, (1000 * samples) / RATE + 200));
      recorder.stop();
      await over;
      const decoder = new OfflineAudioContext(1, samples, RATE);
      const heard = (await decoder.decodeAudioData(await new Blob(parts).arrayBuffer())).getChannelData(0);
      const voice = new Float32Array(samples);
      voice.set(heard.subarray(0, samples));
      const loud = rms(voice);
      if (!(loud > 1e-4)) {
        say("The recording is silent.");
        return;
      }
      own = voice.map((v) => (v * 0.05) / loud);
      if (clipBox.input.options.length === clips.length) {
        clipBox.input.append(h("option", { value: String(clips.length) }, "My recording"));
      }
      say("Recorded; it stays in this page.");
      choose(clips.length);
    } catch (error) {
      say(`No recording: ${whyNot(error)}.`);
    } finally {
      record.disabled = false;
      for (const track of stream?.getTracks() ?? []) track.stop();
    }
  }

  function say(text) {
    status.textContent = text;
    step.say(text);
  }

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

  return step.mount({
    el,
    root,
    draw,
    sentence,
    pulled() {
      ownChosen = false;
    },
    jobs: [{ cancel: () => player.destroy() }],
  });
}

export default { render };
