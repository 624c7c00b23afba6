// engine.js - the forward pass of a small net on typed arrays: no dependency, no fetch, no eval.
//
// A net comes from widgets/pack.py as one value, { spec, weights }:
//   spec    = { input, output, layers: [{ op, ... }, ...] }, and for a net with FiLM layers `condition`,
//             the length of the vector that tells them what to do
//   weights = all of them in one little-endian block; every tensor starts on a multiple of 4 bytes
//
// To add a kind of layer, enter its forward pass in OPS under the `op` that pack.py gives it.

import { toArrayBuffer } from "./bytes.js";

// ---- from bytes to Float32Array -----------------------------------------------------------------

/** The number that 16 bits stand for in IEEE half precision. */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Unpack one tensor, whichever of the three formats it travelled in. */
export function unpackTensor(buffer, { dtype, offset, n, rows, scale_offset }) {
  const out = new Float32Array(n);
  if (dtype === "f32") {
    out.set(new Float32Array(buffer, offset, n));
  } else if (dtype === "f16") {
    const bits = new Uint16Array(buffer, offset, n);
    for (let i = 0; i < n; i++) out[i] = halfToNumber(bits[i]);
  } else if (dtype === "i8") {
    const q = new Int8Array(buffer, offset, n);
    const scale = new Float32Array(buffer, scale_offset, rows);
    for (let row = 0, i = 0; row < rows; row++) {
      for (const end = i + n / rows; i < end; i++) out[i] = q[i] * scale[row];
    }
  } else {
    throw new Error(`unknown dtype "${dtype}"`);
  }
  return out;
}

// ---- the layers -----------------------------------------------------------------------------------
//
// OPS[op](layer, tensor, size, buffer) prepares a layer once and returns { size, run(x, y, condition) }
// and more: `tensor(name)` unpacks one of its tensors, `size` is the length of its input; run() fills y
// from x. Pictures are [channel][row][column].

/** y = W x + b for a row-major W [out][in]; four rows at a time share the loads of x. */
function multiply(W, b, x, y) {
  const nOut = y.length;
  const nIn = x.length;
  let o = 0;
  for (; o + 3 < nOut; o += 4) {
    const row0 = o * nIn;
    const row1 = row0 + nIn;
    const row2 = row1 + nIn;
    const row3 = row2 + nIn;
    let sum0 = b[o];
    let sum1 = b[o + 1];
    let sum2 = b[o + 2];
    let sum3 = b[o + 3];
    for (let i = 0; i < nIn; i++) {
      const v = x[i];
      sum0 += W[row0 + i] * v;
      sum1 += W[row1 + i] * v;
      sum2 += W[row2 + i] * v;
      sum3 += W[row3 + i] * v;
    }
    y[o] = sum0;
    y[o + 1] = sum1;
    y[o + 2] = sum2;
    y[o + 3] = sum3;
  }
  for (; o < nOut; o++) {
    let sum = b[o];
    for (let i = 0, row = o * nIn; i < nIn; i++) sum += W[row + i] * x[i];
    y[o] = sum;
  }
}

function checkSize(layer, expected, size) {
  if (expected !== size) throw new Error(`a ${layer.op} layer takes ${expected} values, not ${size}`);
}

const product = (numbers) => numbers.reduce((a, b) => a * b, 1);

/** Where in pictures of `height` x `width` a kernel's values lie, relative to its corner. */
function kernelOffsets(channels, [rows, columns], height, width, [spreadY, spreadX] = [1, 1]) {
  const offsets = new Int32Array(channels * rows * columns);
  for (let c = 0, k = 0; c < channels; c++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) offsets[k++] = (c * height + i * spreadY) * width + j * spreadX;
    }
  }
  return offsets;
}

/** For each output pixel: gather the patch below the kernel, W [out][in, rows, columns] times it. */
function conv(layer, tensor, size) {
  const [channels, height, width] = layer.in;
  const [channelsOut, heightOut, widthOut] = layer.out;
  const [strideY, strideX] = layer.stride;
  const [padY, padX] = layer.padding;
  checkSize(layer, product(layer.in), size);
  const W = tensor("w");
  const b = tensor("b");
  const paddedHeight = height + 2 * padY;
  const paddedWidth = width + 2 * padX;
  const padded = new Float32Array(channels * paddedHeight * paddedWidth);
  const offsets = kernelOffsets(channels, layer.kernel, paddedHeight, paddedWidth, layer.dilation);
  const patch = new Float32Array(offsets.length);
  const pixel = new Float32Array(channelsOut);
  function run(x, y) {
    for (let row = 0; row < channels * height; row++) {
      const start = (row + (2 * Math.floor(row / height) + 1) * padY) * paddedWidth + padX;
      padded.set(x.subarray(row * width, (row + 1) * width), start);
    }
    for (let i = 0, at = 0; i < heightOut; i++) {
      for (let j = 0; j < widthOut; j++, at++) {
        const corner = i * strideY * paddedWidth + j * strideX;
        for (let k = 0; k < offsets.length; k++) patch[k] = padded[corner + offsets[k]];
        multiply(W, b, patch, pixel);
        for (let c = 0, k = at; c < channelsOut; c++, k += heightOut * widthOut) y[k] = pixel[c];
      }
    }
  }
  return { size: product(layer.out), W, b, run };
}

/** For each input pixel: W [out, rows, columns][in] times its channels, added below the kernel. */
function convTranspose(layer, tensor, size) {
  const [channels, height, width] = layer.in;
  const [channelsOut, heightOut, widthOut] = layer.out;
  const [strideY, strideX] = layer.stride;
  const [padY, padX] = layer.padding;
  checkSize(layer, product(layer.in), size);
  const W = tensor("w");
  const b = tensor("b");
  // room for all that the kernel reaches, of which the padding is cut off in the end
  const fullHeight = Math.max((height - 1) * strideY + layer.kernel[0], padY + heightOut);
  const fullWidth = Math.max((width - 1) * strideX + layer.kernel[1], padX + widthOut);
  const full = new Float32Array(channelsOut * fullHeight * fullWidth);
  const offsets = kernelOffsets(channelsOut, layer.kernel, fullHeight, fullWidth);
  const pixel = new Float32Array(channels);
  const spread = new Float32Array(offsets.length);
  const zeros = new Float32Array(offsets.length);
  function run(x, y) {
    full.fill(0);
    for (let i = 0, at = 0; i < height; i++) {
      for (let j = 0; j < width; j++, at++) {
        for (let c = 0, k = at; c < channels; c++, k += height * width) pixel[c] = x[k];
        multiply(W, zeros, pixel, spread);
        const corner = i * strideY * fullWidth + j * strideX;
        for (let k = 0; k < offsets.length; k++) full[corner + offsets[k]] += spread[k];
      }
    }
    for (let c = 0, k = 0; c < channelsOut; c++) {
      for (let i = 0; i < heightOut; i++) {
        let from = (c * fullHeight + padY + i) * fullWidth + padX;
        for (const end = k + widthOut; k < end; k++) y[k] = full[from++] + b[c];
      }
    }
  }
  return { size: product(layer.out), W, b, run };
}

/** Feature-wise linear modulation: its own small net makes scales and shifts from the condition. */
function film(layer, tensor, size, buffer) {
  const scalesAndShifts = makeNet({ spec: layer.net, weights: buffer });
  const { features } = layer;
  checkSize(layer, features * Math.floor(size / features), size);
  function run(x, y, condition) {
    const made = scalesAndShifts.forward(condition);
    for (let unit = 0, k = 0; unit < features; unit++) {
      const scale = 1 + made[unit];
      const shift = made[features + unit];
      for (const end = k + size / features; k < end; k++) y[k] = x[k] * scale + shift;
    }
  }
  return { size, run };
}

/** x + net(x). */
function residual(layer, tensor, size, buffer) {
  const inner = makeNet({ spec: layer.net, weights: buffer });
  checkSize(layer, inner.input, size);
  checkSize(layer, inner.output, size);
  function run(x, y) {
    const added = inner.forward(x);
    for (let i = 0; i < size; i++) y[i] = x[i] + added[i];
  }
  return { size, run };
}

/** The logistic function. */
export const sigmoid = (v) => 1 / (1 + Math.exp(-v));

/**
 * Long short-term memory over [step][input], from a state of zeros, to [step][hidden]. Its
 * step(x, state) reads one input and updates { h, c }; start() gives a state of zeros.
 */
function lstm(layer, tensor, size) {
  const { steps, inputs, hidden } = layer;
  checkSize(layer, steps * inputs, size);
  const W = tensor("w"); // [gate i, f, g, o][hidden][input, then hidden]
  const b = tensor("b");
  const both = new Float32Array(inputs + hidden);
  const gates = new Float32Array(4 * hidden);
  const start = () => ({ h: new Float32Array(hidden), c: new Float32Array(hidden) });
  function step(x, { h, c }) {
    both.set(x);
    both.set(h, inputs);
    multiply(W, b, both, gates);
    for (let k = 0; k < hidden; k++) {
      c[k] = sigmoid(gates[hidden + k]) * c[k] + sigmoid(gates[k]) * Math.tanh(gates[2 * hidden + k]);
      h[k] = sigmoid(gates[3 * hidden + k]) * Math.tanh(c[k]);
    }
    return h;
  }
  function run(x, y) {
    const state = start();
    for (let t = 0; t < steps; t++) y.set(step(x.subarray(t * inputs, (t + 1) * inputs), state), t * hidden);
  }
  return { size: steps * hidden, run, step, start };
}

/** An activation that treats every value alike. */
function elementwise(f) {
  return (layer, tensor, size) => ({
    size,
    run(x, y) {
      for (let i = 0; i < size; i++) y[i] = f(x[i], layer);
    },
  });
}

/** Gauss error function, to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

/** Softmax of x into y; the largest value is taken off first, so that exp() cannot overflow. */
export function softmax(x, y = new Float32Array(x.length)) {
  let largest = -Infinity;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, x[i]);
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    y[i] = Math.exp(x[i] - largest);
    sum += y[i];
  }
  for (let i = 0; i < x.length; i++) y[i] /= sum;
  return y;
}

const OPS = {
  dense(layer, tensor, size) {
    checkSize(layer, layer.in, size);
    const W = tensor("w");
    const b = tensor("b");
    return { size: layer.out, W, b, run: (x, y) => multiply(W, b, x, y) };
  },
  conv,
  conv_transpose: convTranspose,
  film,
  lstm,
  residual,
  relu: elementwise((v) => (v > 0 ? v : 0)),
  leaky_relu: elementwise((v, { slope }) => (v > 0 ? v : v * slope)),
  silu: elementwise((v) => v / (1 + Math.exp(-v))),
  gelu: elementwise((v) => 0.5 * v * (1 + erf(v / Math.SQRT2))),
  tanh: elementwise(Math.tanh),
  sigmoid: elementwise(sigmoid),
  softmax: (layer, tensor, size) => ({ size, run: (x, y) => softmax(x, y) }),
};

// ---- the net --------------------------------------------------------------------------------------

/**
 * A net that is ready to run:
 *   forward(x)      the output for one example, a Float32Array which the next call overwrites;
 *                   forward(x, condition) if the net has FiLM layers
 *   activations[k]  what layer k of spec.layers gave in the last call
 *   layers[k]       that layer's { op, size, ... }, for "dense" with its weights W [out][in] and b
 */
export function makeNet({ spec, weights }) {
  const buffer = toArrayBuffer(weights);
  let size = spec.input;
  const layers = spec.layers.map((layer) => {
    if (!Object.hasOwn(OPS, layer.op)) throw new Error(`unknown layer "${layer.op}"`);
    const tensor = (name) => unpackTensor(buffer, layer[name]);
    const ready = OPS[layer.op](layer, tensor, size, buffer);
    size = ready.size;
    return { op: layer.op, ...ready };
  });
  if (size !== spec.output) throw new Error(`the net gives ${size} values, not ${spec.output}`);
  const activations = layers.map((layer) => new Float32Array(layer.size));

  function check(values, count, name) {
    if (values.length !== count) {
      throw new Error(`the net takes ${count} values as its ${name}, not ${values.length}`);
    }
    for (let i = 0; i < count; i++) {
      if (!Number.isFinite(values[i])) throw new Error(`value ${i} of the ${name} is ${values[i]}`);
    }
  }

  function forward(x, condition = []) {
    check(x, spec.input, "input");
    check(condition, spec.condition ?? 0, "condition");
    layers.forEach((layer, k) => {
      layer.run(x, activations[k], condition);
      x = activations[k];
    });
    return x;
  }

  return { input: spec.input, output: spec.output, condition: spec.condition ?? 0, layers, activations, forward };
}
