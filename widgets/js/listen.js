// listen.js - takes of one sound below each other: switch between them while they run in step.

import { toArrayBuffer } from "./lib/bytes.js";
import { h, ready } from "./lib/dom.js";
import { soundPlayer } from "./lib/sound_player.js";

async function render({ model, el }) {
  const { window: size, hop, rate, samples } = model.get("_settings");
  const names = model.get("_names");
  const notes = model.get("_notes");
  const sizes = model.get("_sizes");
  const data = toArrayBuffer(model.get("_mp3"));
  const player = soundPlayer({ takes: names.map((name, k) => [String(k), name]), rate, size, hop });
  const status = h("p", { class: "cw-note", "aria-live": "polite" }, "Reading the sounds …");
  const root = h(
    "div",
    { class: "cw li", role: "group", "aria-label": `Listen: ${names.join(", ")}`, onkeydown: (event) => player.keys(event) },
    player.transport,
    ...player.rows,
    status,
  );
  el.append(root);

  try {
    const decoder = new OfflineAudioContext(1, samples, rate);
    const sounds = {};
    let start = 0;
    for (const [k, bytes] of sizes.entries()) {
      const heard = (await decoder.decodeAudioData(data.slice(start, start + bytes))).getChannelData(0);
      sounds[k] = new Float32Array(samples); // the decoder may add some silence behind
      sounds[k].set(heard.subarray(0, samples));
      start += bytes;
    }
    player.set(sounds, notes);
    status.textContent =
      `Buttons, or the keys 1 to ${names.length}, choose what you hear; a click on a picture goes there. ` +
      `Spectrograms: 0 to ${rate / 2000} kHz upward, 60 dB from dark to bright.`;
    root.listen = { sounds }; // for tests and for the curious
  } catch (error) {
    const why = error.name === "EncodingError" ? "they are MP3, which it does not read" : "it has no Web Audio";
    status.textContent = `This browser cannot play the sounds: ${why}.`;
  }
  ready(root);

  return () => {
    player.destroy();
    root.remove();
  };
}

export default { render };
