// train.js - train small networks in the page: layers, losses and optimisers on typed arrays.
//
// The layers are those that chapter 4 writes by hand, with the same names. A batch is one typed array,
// example after example: (N, n) is N * n numbers, row by row. Float32Array trains; Float64Array is for
// tests, where gradients are compared with PyTorch's.

import { normal } from "./random.js";

/** `holder[name]`, an array of at least `size` numbers that is made anew only when it has to grow. */
function room(holder, name, size, Numbers) {
  if (!(holder[name]?.length >= size)) holder[name] = new Numbers(size);
  return holder[name];
}

// ---- layers ---------------------------------------------------------------------------------------
//
// forward(x, count) takes (count, size of the layer below) and returns (count, this.size);
// backward(delta, count) takes the loss's gradient by that output and returns the one by the input,
// after it has filled `grads`. Both return arrays that the next call uses again.

/** y = x W^T + b: `weight` is (m, n), its standard deviation at first gain / sqrt(n); `bias` is 0. */
export class Linear {
  constructor(n, m, { random = Math.random, gain = 1, Numbers = Float32Array } = {}) {
    this.n = n;
    this.size = m;
    this.Numbers = Numbers;
    const deviation = gain / Math.sqrt(n);
    this.params = { weight: Numbers.from({ length: m * n }, () => deviation * normal(random)), bias: new Numbers(m) };
    this.grads = { weight: new Numbers(m * n), bias: new Numbers(m) };
    this.first = false; // the first layer of a network: nobody needs the gradient by its input
  }

  forward(x, count) {
    const { n, size, params } = this;
    const { weight, bias } = params;
    const y = room(this, "y", count * size, this.Numbers);
    this.x = x;
    for (let row = 0; row < count; row++) {
      const at = row * n;
      const to = row * size;
      let o = 0;
      for (; o + 3 < size; o += 4) {
        // four outputs at a time share the loads of x
        const w0 = o * n;
        const w1 = w0 + n;
        const w2 = w1 + n;
        const w3 = w2 + n;
        let sum0 = bias[o];
        let sum1 = bias[o + 1];
        let sum2 = bias[o + 2];
        let sum3 = bias[o + 3];
        for (let i = 0; i < n; i++) {
          const v = x[at + i];
          sum0 += weight[w0 + i] * v;
          sum1 += weight[w1 + i] * v;
          sum2 += weight[w2 + i] * v;
          sum3 += weight[w3 + i] * v;
        }
        y[to + o] = sum0;
        y[to + o + 1] = sum1;
        y[to + o + 2] = sum2;
        y[to + o + 3] = sum3;
      }
      for (; o < size; o++) {
        let sum = bias[o];
        for (let i = 0, w = o * n; i < n; i++) sum += weight[w + i] * x[at + i];
        y[to + o] = sum;
      }
    }
    return y;
  }

  backward(delta, count) {
    this.gradients(delta, count);
    return this.first ? null : this.below(delta, count);
  }

  /** grads.weight = delta^T x and grads.bias = the sum of delta over the batch. */
  gradients(delta, count) {
    const { n, size, x } = this;
    const { weight, bias } = this.grads;
    weight.fill(0);
    bias.fill(0);
    for (let o = 0; o < size; o++) {
      const w = o * n;
      let row = 0;
      for (; row + 3 < count; row += 4) {
        // four examples at a time share the loads and stores of the gradient
        const d0 = delta[row * size + o];
        const d1 = delta[(row + 1) * size + o];
        const d2 = delta[(row + 2) * size + o];
        const d3 = delta[(row + 3) * size + o];
        bias[o] += d0 + d1 + d2 + d3;
        if (d0 === 0 && d1 === 0 && d2 === 0 && d3 === 0) continue; // behind a ReLU, many are
        const x0 = row * n;
        const x1 = x0 + n;
        const x2 = x1 + n;
        const x3 = x2 + n;
        for (let i = 0; i < n; i++) weight[w + i] += d0 * x[x0 + i] + d1 * x[x1 + i] + d2 * x[x2 + i] + d3 * x[x3 + i];
      }
      for (; row < count; row++) {
        const d = delta[row * size + o];
        bias[o] += d;
        for (let i = 0, at = row * n; i < n; i++) weight[w + i] += d * x[at + i];
      }
    }
  }

  /** delta W: the gradient by this layer's input. */
  below(delta, count) {
    const { n, size } = this;
    const { weight } = this.params;
    const out = room(this, "out", count * n, this.Numbers);
    out.fill(0, 0, count * n);
    for (let row = 0; row < count; row++) {
      const at = row * n;
      for (let o = 0; o < size; o++) {
        const d = delta[row * size + o];
        if (d === 0) continue;
        for (let i = 0, w = o * n; i < n; i++) out[at + i] += d * weight[w + i];
      }
    }
    return out;
  }
}

/** What the activations share: `value` is the output of the last forward pass, `delta` of the last backward one. */
class Activation {
  constructor(size, { Numbers = Float32Array } = {}) {
    this.size = size;
    this.Numbers = Numbers;
    this.params = {};
    this.grads = {};
  }

  forward(x, count) {
    const value = room(this, "value", count * this.size, this.Numbers);
    for (let i = 0; i < count * this.size; i++) value[i] = this.activate(x[i]);
    return value;
  }

  backward(delta, count) {
    const out = room(this, "delta", count * this.size, this.Numbers);
    for (let i = 0; i < count * this.size; i++) out[i] = delta[i] * this.slope(this.value[i]);
    return out;
  }
}

export class ReLU extends Activation {
  activate(x) {
    return x > 0 || Number.isNaN(x) ? x : 0;
  }

  slope(value) {
    return value > 0 ? 1 : 0;
  }
}

export class Tanh extends Activation {
  activate(x) {
    return Math.tanh(x);
  }

  slope(value) {
    return 1 - value * value;
  }
}

export class Sigmoid extends Activation {
  activate(x) {
    return (1 + Math.tanh(x / 2)) / 2;
  }

  slope(value) {
    return value * (1 - value);
  }
}

/**
 * The code of a variational autoencoder, between its encoder and its decoder. The layer below gives d means
 * and d log-variances, (N, 2d); forward returns a draw from these normal distributions, (N, d):
 * z = mean + sd * noise. backward adds the gradient of `beta` times the rate, see `rate`. Where `noisy` is
 * false, z is the mean and there is no rate: a plain autoencoder.
 */
export class GaussianCode {
  constructor(d, { random = Math.random, beta = 1, noisy = true, Numbers = Float32Array } = {}) {
    Object.assign(this, { size: d, random, beta, noisy, Numbers, params: {}, grads: {} });
  }

  forward(x, count) {
    const { size } = this;
    const z = room(this, "z", count * size, this.Numbers);
    const noise = room(this, "noise", count * size, this.Numbers);
    this.x = x;
    for (let row = 0, k = 0; row < count; row++) {
      for (let mean = 2 * row * size; mean < (2 * row + 1) * size; mean++, k++) {
        noise[k] = this.noisy ? normal(this.random) : 0;
        z[k] = x[mean] + Math.exp(x[mean + size] / 2) * noise[k];
      }
    }
    return z;
  }

  backward(delta, count) {
    const { size, x, noise } = this;
    const out = room(this, "out", 2 * count * size, this.Numbers);
    const price = this.noisy ? this.beta / count : 0;
    for (let row = 0, k = 0; row < count; row++) {
      for (let mean = 2 * row * size; mean < (2 * row + 1) * size; mean++, k++) {
        const variance = Math.exp(x[mean + size]);
        out[mean] = delta[k] + price * x[mean];
        out[mean + size] = (delta[k] * noise[k] * Math.sqrt(variance) + price * (variance - 1)) / 2;
      }
    }
    return out;
  }

  /** Of the last forward pass: the mean over the batch of KL(q || N(0, I)), in nats. */
  rate(count) {
    let sum = 0;
    for (let row = 0; row < count; row++) {
      for (let mean = 2 * row * this.size; mean < (2 * row + 1) * this.size; mean++) {
        const logVariance = this.x[mean + this.size];
        sum += (this.x[mean] ** 2 + Math.exp(logVariance) - logVariance - 1) / 2;
      }
    }
    return sum / count;
  }
}

/** Layers one after the other. */
export class Network {
  constructor(...layers) {
    this.layers = layers;
    this.size = layers[layers.length - 1].size;
    layers[0].first = true;
  }

  forward(x, count) {
    return this.layers.reduce((values, layer) => layer.forward(values, count), x);
  }

  backward(delta, count) {
    return this.layers.reduceRight((values, layer) => layer.backward(values, count), delta);
  }
}

/**
 * Runs four examples of ones through a network and back, a few times, and leaves the weights alone: the
 * browser compiles the loops, so that the first real step takes as long as the others.
 */
export function warmUp(network) {
  const [{ n, Numbers }] = network.layers;
  const ones = (size) => new Numbers(size).fill(1);
  for (let k = 0; k < 4; k++) {
    network.forward(ones(4 * n), 4);
    network.backward(ones(4 * network.size), 4);
  }
}

/** A network of the sizes [784, ..., 10], hidden layers with `Activation` behind them and `gain` in front. */
export function denseNet(sizes, Hidden, { gain = 1, ...options } = {}) {
  const last = sizes.length - 2;
  const layers = sizes.slice(0, -1).flatMap((n, k) => {
    const m = sizes[k + 1];
    return k < last ? [new Linear(n, m, { gain, ...options }), new Hidden(m, options)] : [new Linear(n, m, options)];
  });
  return new Network(...layers);
}

// ---- losses: the mean over the batch, and its gradient -----------------------------------------------
//
// loss(outputs, targets, count, delta) fills `delta`, which is as long as the outputs, and returns the
// loss. An output of NaN or infinity gives a loss that is not finite: the caller sees that it diverged.

/** Logits (N, K) and N labels 0 to K - 1: the mean of -log p in nats; delta is (p - y) / N. */
export function softmaxCrossEntropy(logits, labels, count, delta) {
  const classes = delta.length / count;
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const at = row * classes;
    let top = -Infinity;
    for (let k = 0; k < classes; k++) top = Math.max(top, logits[at + k]);
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp(logits[at + k] - top);
    for (let k = 0; k < classes; k++) delta[at + k] = Math.exp(logits[at + k] - top) / sum / count;
    delta[at + labels[row]] -= 1 / count;
    loss += (Math.log(sum) + top - logits[at + labels[row]]) / count;
  }
  return loss;
}

/** Logits and targets of 0 to 1, alike in shape: -log likelihood in nats, summed over an example's numbers. */
export function logisticLoss(logits, targets, count, delta) {
  let loss = 0;
  for (let i = 0; i < delta.length; i++) {
    const v = logits[i];
    loss += (Math.max(v, 0) - v * targets[i] + Math.log1p(Math.exp(-Math.abs(v)))) / count;
    delta[i] = ((1 + Math.tanh(v / 2)) / 2 - targets[i]) / count;
  }
  return loss;
}

/** Half the squared distance of an example's numbers from its targets. */
export function squaredLoss(outputs, targets, count, delta) {
  let loss = 0;
  for (let i = 0; i < delta.length; i++) {
    delta[i] = (outputs[i] - targets[i]) / count;
    loss += (0.5 * (outputs[i] - targets[i]) ** 2) / count;
  }
  return loss;
}

// ---- optimisers ---------------------------------------------------------------------------------------

/** Calls work(parameters, gradients, state) for each array; the state's arrays begin as zeros. */
function parameterWalker(network, states) {
  const all = network.layers.flatMap((layer) =>
    Object.keys(layer.params).map((name) => ({
      layer,
      name,
      state: Array.from({ length: states }, () => new layer.Numbers(layer.params[name].length)),
    })),
  );
  return (work) => {
    for (const { layer, name, state } of all) work(layer.params[name], layer.grads[name], ...state);
  };
}

/** p <- p - rate g. */
export class SGD {
  constructor(network) {
    this.walk = parameterWalker(network, 0);
  }

  step(rate) {
    this.walk((p, g) => {
      for (let i = 0; i < p.length; i++) p[i] -= rate * g[i];
    });
  }
}

/** v <- keep v + g; p <- p - rate v. */
export class Momentum {
  constructor(network, keep = 0.9) {
    this.keep = keep;
    this.walk = parameterWalker(network, 1);
  }

  step(rate) {
    const { keep } = this;
    this.walk((p, g, velocity) => {
      for (let i = 0; i < p.length; i++) {
        velocity[i] = keep * velocity[i] + g[i];
        p[i] -= rate * velocity[i];
      }
    });
  }
}

/** Adam as Kingma and Ba (2015) have it, with bias correction. */
export class Adam {
  constructor(network, [first, second] = [0.9, 0.999], epsilon = 1e-8) {
    Object.assign(this, { first, second, epsilon, t: 0 });
    this.walk = parameterWalker(network, 2);
  }

  step(rate) {
    this.t += 1;
    const { first, second, epsilon } = this;
    const ofMean = 1 - first ** this.t;
    const ofSquare = 1 - second ** this.t;
    this.walk((p, g, m, v) => {
      for (let i = 0; i < p.length; i++) {
        m[i] = first * m[i] + (1 - first) * g[i];
        v[i] = second * v[i] + (1 - second) * g[i] * g[i];
        p[i] -= (rate * (m[i] / ofMean)) / (Math.sqrt(v[i] / ofSquare) + epsilon);
      }
    });
  }
}

// ---- data -------------------------------------------------------------------------------------------

/**
 * Batches without end, in passes of random order; an incomplete last batch is left out.
 * `next()` returns { x, y }: the examples (batch, width) and the labels, in arrays that it uses again.
 */
export function minibatches(examples, labels, width, batch, random) {
  const count = labels.length;
  const size = Math.min(batch, count);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const x = new examples.constructor(size * width);
  const y = new labels.constructor(size);
  let at = count;
  return {
    size,
    next() {
      if (at + size > count) {
        for (let i = count - 1; i > 0; i--) {
          const j = Math.floor(random() * (i + 1));
          [order[i], order[j]] = [order[j], order[i]];
        }
        at = 0;
      }
      for (let row = 0; row < size; row++) {
        const from = order[at + row];
        x.set(examples.subarray(from * width, (from + 1) * width), row * width);
        y[row] = labels[from];
      }
      at += size;
      return { x, y };
    },
  };
}

/** The share of examples whose largest output is the one of their label; in parts of `part`. */
export function accuracy(network, examples, labels, width, part = 100) {
  let right = 0;
  for (let start = 0; start < labels.length; start += part) {
    const count = Math.min(part, labels.length - start);
    const outputs = network.forward(examples.subarray(start * width, (start + count) * width), count);
    for (let row = 0; row < count; row++) {
      let best = 0;
      for (let k = 1; k < network.size; k++) {
        if (outputs[row * network.size + k] > outputs[row * network.size + best]) best = k;
      }
      right += best === labels[start + row];
    }
  }
  return right / labels.length;
}

// ---- running ------------------------------------------------------------------------------------------

const TURN = 16; // ms of work before the page gets its turn
const PAUSE = 400; // ms from one step to the next in slow motion

/**
 * Runs `step()` again and again in short slices, so that the page stays alive.
 *
 * step() does one small piece of work, well below 50 ms, and returns false where nothing is left to do;
 * afterSlice() is called when the page can show what has come of it. The run pauses by itself while
 * `element` is out of sight or the tab is hidden, and goes on when it comes back.
 */
export function runner({ element, step, afterSlice = () => {} }) {
  let running = false;
  let slow = false;
  let visible = true;
  let timer = 0;
  const channel = new MessageChannel(); // unlike setTimeout it is not slowed down to 4 ms
  channel.port1.onmessage = turn;

  function turn() {
    timer = 0;
    if (!running || !visible || document.hidden) return;
    const end = performance.now() + TURN;
    let more;
    do more = step() !== false;
    while (more && !slow && performance.now() < end);
    if (!more) running = false;
    afterSlice();
    if (running) wake();
  }
  function wake() {
    if (timer) return;
    if (slow) timer = setTimeout(turn, PAUSE);
    else {
      timer = -1;
      channel.port2.postMessage(0);
    }
  }
  function resume() {
    if (running) wake();
  }
  const observer = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    resume();
  });
  observer.observe(element);
  document.addEventListener("visibilitychange", resume);

  return {
    get running() {
      return running;
    },
    start() {
      running = true;
      resume();
    },
    pause() {
      running = false;
    },
    once() {
      running = false;
      step();
      afterSlice();
    },
    setSlow(value) {
      slow = value;
    },
    dispose() {
      running = false;
      clearTimeout(timer);
      observer.disconnect();
      document.removeEventListener("visibilitychange", resume);
      channel.port1.close();
    },
  };
}
