// sound.js - what a sound widget needs: µ-law, noise from a seed, the short-time Fourier transform.

import { rms } from "./numbers.js";
import { normal } from "./random.js";

/** 8-bit µ-law (ITU-T G.711's curve, evenly quantised: 255 levels) to samples in [-1, 1]. */
export function fromMuLaw(bytes) {
  return Float32Array.from(bytes, (byte) => {
    const value = (byte - 127) / 127;
    return (Math.sign(value) * (256 ** Math.abs(value) - 1)) / 255;
  });
}

/** `count` samples of white, pink, hum or clicks, as utils/audio.py defines them. */
export function makeNoise(kind, count, rate, random) {
  const out = new Float32Array(count);
  if (kind === "white") {
    for (let i = 0; i < count; i++) out[i] = normal(random);
  } else if (kind === "pink") {
    // shaped in the frequency domain, over the next power of two
    let size = 1;
    while (size < count) size *= 2;
    const re = new Float64Array(size);
    const im = new Float64Array(size);
    for (let i = 0; i < size; i++) re[i] = normal(random);
    transform(re, im);
    for (let k = 0; k < size; k++) {
      const gain = Math.max((Math.min(k, size - k) * rate) / size, 20) ** -0.5;
      re[k] *= gain;
      im[k] *= -gain; // conjugated: transforming once more goes back
    }
    transform(re, im);
    for (let i = 0; i < count; i++) out[i] = re[i];
  } else if (kind === "hum") {
    const mains = (random() < 0.5 ? 50 : 60) * (0.995 + 0.01 * random());
    for (let k = 1; k <= 12; k++) {
      const phase = 2 * Math.PI * random();
      const strength = (0.2 + 0.8 * random()) / k;
      for (let i = 0; i < count; i++) out[i] += strength * Math.sin((2 * Math.PI * mains * k * i) / rate + phase);
    }
  } else if (kind === "clicks") {
    for (let n = Math.round((8 * count) / rate); n > 0; n--) {
      const start = Math.floor(random() * count);
      const length = Math.min(count - start, 8 + Math.floor(random() * 72));
      const loud = 0.3 + 0.7 * random();
      for (let i = 0; i < length; i++) out[start + i] += loud * Math.exp((-5 * i) / length) * normal(random);
    }
  } else {
    throw new Error(`unknown noise "${kind}"`);
  }
  return out;
}

/** clean + factor * noise at a signal-to-noise ratio in dB; silence is left as it is. */
export function mix(clean, noise, snr) {
  const quiet = rms(noise);
  const factor = quiet > 0 ? rms(clean) / quiet / 10 ** (snr / 20) : 0;
  return clean.map((v, i) => v + factor * noise[i]);
}

/** Scale-invariant signal-to-distortion ratio in dB, both signals without their mean. */
export function siSdr(estimate, target) {
  const n = target.length;
  let e = 0;
  let t = 0;
  for (let i = 0; i < n; i++) {
    e += estimate[i] / n;
    t += target[i] / n;
  }
  let et = 0;
  let tt = 0;
  for (let i = 0; i < n; i++) {
    et += (estimate[i] - e) * (target[i] - t);
    tt += (target[i] - t) ** 2;
  }
  let rest = 0;
  for (let i = 0; i < n; i++) rest += (estimate[i] - e - (et / tt) * (target[i] - t)) ** 2;
  return 10 * Math.log10((et * et) / tt / rest);
}

// ---- Fourier transforms -----------------------------------------------------------------------

/** In-place fast Fourier transform of a power of two of complex numbers (Cooley and Tukey). */
export function transform(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const angle = (-2 * Math.PI * k) / size;
      const c = Math.cos(angle);
      const s = Math.sin(angle);
      for (let i = k; i < n; i += size) {
        const j = i + half;
        const real = re[j] * c - im[j] * s;
        const imaginary = re[j] * s + im[j] * c;
        re[j] = re[i] - real;
        im[j] = im[i] - imaginary;
        re[i] += real;
        im[i] += imaginary;
      }
    }
  }
}

/** Square root of a periodic Hann window. */
function window_(size) {
  return Float64Array.from({ length: size }, (_, i) => Math.sin((Math.PI * i) / size));
}

/** As torch.stft with centred, reflected frames: { re, im } of [bin][frame], bins, frames. */
export function stft(x, size, hop) {
  const w = window_(size);
  const frames = 1 + Math.floor(x.length / hop);
  const bins = size / 2 + 1;
  const out = { bins, frames, re: new Float32Array(bins * frames), im: new Float32Array(bins * frames) };
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < size; i++) {
      let at = Math.abs(t * hop + i - size / 2);
      if (at >= x.length) at = 2 * x.length - 2 - at;
      re[i] = w[i] * x[at];
      im[i] = 0;
    }
    transform(re, im);
    for (let k = 0; k < bins; k++) {
      out.re[k * frames + t] = re[k];
      out.im[k * frames + t] = im[k];
    }
  }
  return out;
}

/** The samples of a spectrogram times a mask [bin][frame], by overlap-add with the same window. */
export function istft({ bins, frames, re, im }, mask, count, size, hop) {
  const w = window_(size);
  const total = new Float64Array((frames - 1) * hop + size);
  const weight = new Float64Array(total.length);
  const a = new Float64Array(size);
  const b = new Float64Array(size);
  for (let t = 0; t < frames; t++) {
    for (let k = 0; k < bins; k++) {
      const at = k * frames + t;
      a[k] = re[at] * mask[at];
      b[k] = -im[at] * mask[at]; // conjugated, so that the forward transform goes back
      if (k > 0 && k < size / 2) {
        a[size - k] = a[k];
        b[size - k] = -b[k];
      }
    }
    b[0] = 0;
    b[size / 2] = 0;
    transform(a, b);
    for (let i = 0; i < size; i++) {
      total[t * hop + i] += (w[i] * a[i]) / size;
      weight[t * hop + i] += w[i] * w[i];
    }
  }
  return Float32Array.from({ length: count }, (_, i) => total[i + size / 2] / weight[i + size / 2]);
}
