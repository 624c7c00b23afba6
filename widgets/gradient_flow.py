"""Gradient flow: activations and gradients of a deep net at its start, layer by layer."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget, Number
from .pictures import as_bytes, as_labels, pack_grey

WIDTH = 64  # units of each hidden layer
DEEPEST = 40
CLASSES = 10
GAINS = (0.3, 12.0)
BINS = 32  # of each layer's histogram
BATCH_NORM_EPSILON = 1e-5
SETTINGS = ("depth", "activation", "gain", "batch_norm", "residual")

# Function, derivative as a function of its value, range of its histogram (of ReLU: in units of the
# layer's own root mean square), and where a value counts as saturated.
ACTIVATIONS = {
    "tanh": (np.tanh, lambda h: 1 - h**2, (-1, 1), lambda h: np.abs(h) > 0.95),
    "sigmoid": (
        lambda a: (1 + np.tanh(a / 2)) / 2,
        lambda h: h * (1 - h),
        (0, 1),
        lambda h: np.abs(h - 0.5) > 0.475,
    ),
    "relu": (lambda a: np.maximum(a, 0), lambda h: (h > 0) * 1.0, (0, 4), lambda h: h == 0),
}


class GradientFlow(CourseWidget, front="gradient_flow.js"):
    """Send real digits forward and their loss backward through a deep net with fresh weights.

    images, labels
        A few digits (2 to 32), (N, 28, 28) or (N, 784) in [0, 1], and their classes.
    depth, activation, gain, batch_norm, residual, seed
        What is shown first: 2 to 40 hidden layers of 64 units; "tanh", "sigmoid" or "relu"; the
        weights' standard deviation times the root of the inputs' number, 0.3 to 12; whether each
        layer normalises its preactivations over the digits; whether each layer from the second on
        adds its input to its output; which weights.
    presets
        Settings with a name and a reason: ``{"name": ..., "why": ..., "gain": ...}``; what a preset
        does not name is as at first.

    The page computes all of it by itself, in 64-bit numbers. With a kernel, these six follow the
    page and can be set, and `widget.flow` holds the same figures computed by NumPy.
    """

    _images = t.Bytes().tag(sync=True)  # zlib, 16 levels of grey
    _labels = t.List(t.Int()).tag(sync=True)
    depth = t.Int(20, min=2, max=DEEPEST).tag(sync=True)
    activation = t.Enum(list(ACTIVATIONS), "tanh").tag(sync=True)
    gain = Number(1.0, min=GAINS[0], max=GAINS[1]).tag(sync=True)
    batch_norm = t.Bool(False).tag(sync=True)
    residual = t.Bool(False).tag(sync=True)
    seed = t.Int(0, min=0, max=2**16 - 1).tag(sync=True)
    _presets = t.List(t.Dict()).tag(sync=True)
    alt = (
        "Depth, activation and weight scale of a deep network set the size of its gradients, layer "
        "by layer. Left, the size of delta against the layer for three scales; right, a map of "
        "depth against scale, coloured by whether the gradient vanishes, arrives or explodes."
    )

    def __init__(self, images, labels, *, presets=(), alt: str | None = None, **start):
        pixels = as_bytes(images, "images")
        if not 2 <= len(pixels) <= 32:
            raise ValueError(f"{len(pixels)} images: between 2 and 32 are needed")
        # 16 levels of grey: what the page computes with, and so what `flow` does
        self._x = np.rint(pixels.reshape(len(pixels), -1) / 17) / 15
        super().__init__(
            _images=pack_grey(pixels),
            _labels=as_labels(labels, "labels", len(pixels)),
            alt=alt,
            **start,
        )
        first = {name: getattr(self, name) for name in SETTINGS}
        for preset in presets:
            unknown = set(preset) - {"name", "why", *SETTINGS}
            if unknown or not {"name", "why"} <= set(preset):
                raise ValueError(f"a preset has a name, a why and settings, not {sorted(preset)}")
        self._presets = [first | dict(preset) for preset in presets]

    @property
    def flow(self) -> dict[str, np.ndarray]:
        """What the page shows, see `flow` of this module."""
        names = (*SETTINGS, "seed")
        return flow(self._x, self._labels, **{name: getattr(self, name) for name in names})

    def poster(self) -> bytes:
        """Size of delta for the gain that is set and for two others, and the map around it: PNG."""
        fig, axes = plots.figure(1, 2, width=7.2, height=3.0)
        layers = np.arange(1, self.depth + 1)
        for share, colour in ((0.7, plots.BLUE), (1.0, plots.GREEN), (1.5, plots.RED)):
            gain = float(np.clip(share * self.gain, *GAINS))
            found = flow(self._x, self._labels, self.depth, self.activation, gain, seed=self.seed)
            axes[0].semilogy(layers, found["delta"], color=colour, label=f"gain {gain:.2g}")
        axes[0].set(xlabel="layer", title=f"Size of δ, {self.activation}")
        axes[0].legend(fontsize=9)
        gains = np.geomspace(*GAINS, 60)
        powers = [reach(self._x, self.activation, gain) for gain in gains]
        style = {"cmap": "RdBu_r", "vmin": -3, "vmax": 3, "shading": "nearest"}
        depths = np.arange(2, DEEPEST + 1)
        axes[1].pcolormesh(gains, depths, np.transpose(powers), **style)
        axes[1].plot(self.gain, self.depth, "o", color="black", mfc="white", ms=8, mew=2)
        axes[1].set(xscale="log", xlabel="gain", ylabel="hidden layers")
        axes[1].set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
        axes[1].set_title("Blue vanishes, red explodes")
        axes[1].grid(False)
        return fig.png()


def weights(seed: int, count: int) -> np.ndarray:
    """`count` numbers of mean 0 and variance 1, the same ones as in the page.

    Sums of four uniform numbers, nearly normal; each from a counter through the final mix of
    MurmurHash3 (A. Appleby, public domain), in 32-bit arithmetic that both languages have.
    """
    h = np.arange(4 * count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    h += np.uint32(seed * 0x85EBCA77 % 2**32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    h ^= h >> np.uint32(16)
    four = h.reshape(count, 4) / 2**32
    return (four[:, 0] + four[:, 1] + four[:, 2] + four[:, 3] - 2) * np.sqrt(3)


def flow(
    x, labels, depth, activation, gain, *, batch_norm=False, residual=False, seed=0
) -> dict[str, np.ndarray]:
    """Activations and gradients of one net: forward, cross-entropy, backward. float64.

    x: (N, 784), labels: N classes. Returns, for each of the `depth` hidden layers:
    `histogram` (depth, BINS), shares of its outputs; `activation`, their root mean square;
    `delta`, the root mean square of the loss's derivative with respect to what its activation
    function receives; `saturated`, the share that is saturated (ReLU: zero); and `predicted`
    (depth - 1), the factor by which a step back from the layer above multiplies `delta` according
    to mean-field theory (Schoenholz et al. 2017, without BatchNorm and residual connections).
    """
    function, slope, (low, high), is_saturated = ACTIVATIONS[activation]
    labels = np.asarray(labels)
    z = weights(seed, (x.shape[1] + (DEEPEST - 1) * WIDTH + CLASSES) * WIDTH)
    first = x.shape[1] * WIDTH
    matrices = [z[:first].reshape(WIDTH, x.shape[1])]
    matrices += list(z[first : first + (DEEPEST - 1) * WIDTH**2].reshape(-1, WIDTH, WIDTH))
    top = z[-CLASSES * WIDTH :].reshape(CLASSES, WIDTH) / np.sqrt(WIDTH)

    h, kept, values, stages = x, [], [], []
    for layer in range(depth):
        w = gain / np.sqrt(h.shape[1]) * matrices[layer]
        a = h @ w.T
        deviation = 1.0
        if batch_norm:
            a = a - a.mean(0)
            deviation = np.sqrt((a**2).mean(0) + BATCH_NORM_EPSILON)
            a = a / deviation
        value = function(a)
        values.append(value)
        stages.append((w, a, deviation))
        h = h + value if residual and layer > 0 else value
        kept.append(h)
    logits = h @ top.T
    e = np.exp(logits - logits.max(1, keepdims=True))
    d = (e / e.sum(1, keepdims=True) - np.eye(CLASSES)[labels]) / len(labels) @ top

    delta = np.zeros(depth)
    for layer in reversed(range(depth)):
        w, a, deviation = stages[layer]
        back = d * slope(values[layer])
        delta[layer] = _rms(back)
        if batch_norm:
            back = (back - back.mean(0) - a * (back * a).mean(0)) / deviation
        d = back @ w + (d if residual and layer > 0 else 0)

    histogram = np.zeros((depth, BINS))
    for layer, h in enumerate(kept):
        scaled = h / (_rms(h) or 1) if activation == "relu" else h
        place = np.clip(np.floor((scaled - low) / (high - low) * BINS), 0, BINS - 1).astype(int)
        histogram[layer] = np.bincount(place.ravel(), minlength=BINS) / h.size
    return {
        "histogram": histogram,
        "activation": np.array([_rms(h) for h in kept]),
        "delta": delta,
        "saturated": np.array([is_saturated(value).mean() for value in values]),
        "predicted": predicted(x, depth, activation, gain),
    }


def predicted(x, depth: int, activation: str, gain: float) -> np.ndarray:
    """The factors of delta's root mean square from layer l + 1 to l, (depth - 1,).

    In a wide net, preactivations are normal with variance q: q' = gain^2 E[f(sqrt(q) z)^2], and the
    root mean square of delta is multiplied by gain sqrt(E[f'(sqrt(q) z)^2]).
    """
    function, slope, _, _ = ACTIVATIONS[activation]
    z = (np.arange(320) - 159.5) / 20  # none at 0, where ReLU has its kink
    normal = np.exp(-(z**2) / 2)
    normal /= normal.sum()
    q, found = gain**2 * (x**2).mean(), []
    for _ in range(depth - 1):
        value = function(np.sqrt(q) * z)
        found.append(gain * np.sqrt((normal * slope(value) ** 2).sum()))
        q = gain**2 * (normal * value**2).sum()  # of the layer above
    return np.array(found)


def reach(x, activation: str, gain: float) -> np.ndarray:
    """log10 of delta's size at the first layer over the last, of nets of 2 to DEEPEST layers."""
    with np.errstate(divide="ignore"):
        return np.log10(predicted(x, DEEPEST, activation, gain)).cumsum()


def _rms(values) -> float:
    return float(np.sqrt((values**2).mean()))
