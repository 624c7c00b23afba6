"""Training, replayed: pick a step and a hidden unit, see its weights, its gradient and the loss."""

from __future__ import annotations

import io
import zlib

import numpy as np
import traitlets as t

from .base import CourseWidget
from .pictures import SIDE

PIXELS = SIDE * SIDE
_KEYS = {"step", "loss", "accuracy", "weights", "gradient", "outgoing"}


class TrainingReplay(CourseWidget, front="training_replay.js"):
    """Replay the training of a net with one hidden layer of at most 64 units on 28 x 28 pixels.

    snapshots
        At least two dicts in the order of their steps, each with
        `step` (whole number, how many updates were made before it), `loss` and `accuracy` (on the
        same held-out images every time), `weights` (units, 784), `gradient` (units, 784): the
        derivative of this step's batch loss with respect to `weights`, and `outgoing` (10, units):
        the weights of the output layer.
    unit
        The hidden unit shown first.

    Weights travel as int8 with one scale per unit, gradients as int8 with one scale per unit and
    snapshot: off by at most 1/254 of the largest value under that scale.

    With a kernel, `widget.index` (which snapshot) and `widget.unit` follow the page and can be set;
    `widget.weights` and `widget.gradient` are the two pictures, (28, 28).
    """

    _steps = t.List(t.Int()).tag(sync=True)
    _loss = t.List(t.Float()).tag(sync=True)
    _accuracy = t.List(t.Float()).tag(sync=True)
    _units = t.Int().tag(sync=True)
    _packed = t.Bytes().tag(sync=True)  # zlib: int8 weights, then int8 gradients, see `_pack`
    _scales = t.Bytes().tag(sync=True)  # f32: (units,) of the weights, (snapshots, units) gradients
    _outgoing = t.Bytes().tag(sync=True)  # f32 (snapshots, units, 10)
    index = t.Int(0).tag(sync=True)
    unit = t.Int(0).tag(sync=True)
    alt = (
        "Training replayed. The picture shows one hidden unit at six steps of training: its 784 "
        "incoming weights above, their gradient below."
    )

    def __init__(self, snapshots, *, unit: int = 0, alt: str | None = None):
        steps, weights, gradients, outgoing = _checked(snapshots)
        w, w_scale = _quantise(weights, axis=(0, 2))
        g, g_scale = _quantise(gradients, axis=2)
        self._w, self._g = w * w_scale, g * g_scale  # what the page shows
        super().__init__(
            _steps=steps,
            _loss=[float(s["loss"]) for s in snapshots],
            _accuracy=[float(s["accuracy"]) for s in snapshots],
            _units=weights.shape[1],
            _packed=_pack(w, g),
            _scales=w_scale.astype("<f4").tobytes() + g_scale.astype("<f4").tobytes(),
            _outgoing=outgoing.transpose(0, 2, 1).astype("<f4").tobytes(),
            index=len(steps) - 1,
            unit=unit,
            alt=alt,
        )

    @property
    def weights(self) -> np.ndarray:
        """The unit's incoming weights at the step shown, (28, 28)."""
        return self._w[self.index, self.unit].reshape(SIDE, SIDE)

    @property
    def gradient(self) -> np.ndarray:
        """The gradient of these weights at the step shown, (28, 28)."""
        return self._g[self.index, self.unit].reshape(SIDE, SIDE)

    @t.validate("index")
    def _check_index(self, proposal):
        return _within(proposal["value"], len(self._steps), "index")

    @t.validate("unit")
    def _check_unit(self, proposal):
        return _within(proposal["value"], self._units, "unit")

    def poster(self) -> bytes:
        """The unit at six steps: weights above, gradient below."""
        chosen = np.unique(np.linspace(0, len(self._steps) - 1, 6).round().astype(int))
        return poster(
            [self._steps[i] for i in chosen], self._w[chosen, self.unit], self._g[chosen, self.unit]
        )


def _within(value: int, count: int, name: str) -> int:
    if not 0 <= value < count:
        raise t.TraitError(f"{name} must be 0 to {count - 1}")
    return value


def _checked(snapshots):
    """Steps, and weights, gradients and outgoing weights as arrays; ValueError says what is off."""
    if len(snapshots) < 2 or any(set(s) != _KEYS for s in snapshots):
        raise ValueError(
            f"snapshots: at least two are needed, each with {', '.join(sorted(_KEYS))}"
        )
    steps = [int(s["step"]) for s in snapshots]
    if any(a >= b for a, b in zip(steps, steps[1:])) or steps[0] < 0:
        raise ValueError("snapshots must be in the order of their steps, none of them twice")
    units = np.shape(snapshots[0]["weights"])[0]
    arrays = []
    for key, shape in (
        ("weights", (units, PIXELS)),
        ("gradient", (units, PIXELS)),
        ("outgoing", (10, units)),
    ):
        for s in snapshots:
            if np.shape(s[key]) != shape:
                raise ValueError(f"{key} has shape {np.shape(s[key])}, but must be {shape}")
        arrays.append(np.array([s[key] for s in snapshots], dtype=float))
    numbers = [s[key] for s in snapshots for key in ("loss", "accuracy")]
    if not all(np.isfinite(a).all() for a in (*arrays, numbers)):
        raise ValueError("snapshots hold values that are NaN or infinite")
    if units > 64:
        raise ValueError(f"{units} units are too many for the page: at most 64")
    return steps, *arrays


def _quantise(values: np.ndarray, axis) -> tuple[np.ndarray, np.ndarray]:
    """int8 values and their scale: values ~ q * scale, the largest magnitude over `axis` as 127."""
    scale = np.abs(values).max(axis=axis, keepdims=True) / 127
    scale = scale.astype("<f4").astype(float)
    q = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    return np.clip(np.rint(q), -127, 127).astype(np.int8), scale


def _pack(w: np.ndarray, g: np.ndarray) -> bytes:
    """zlib of the weights' changes from snapshot to snapshot (int8 wraps around), then gradients.

    Changes are small, above all in the first steps, and so take half the room of the weights.
    """
    changes = np.diff(w, axis=0, prepend=np.int8(0))
    return zlib.compress(changes.tobytes() + g.tobytes(), 9)


# ---- the static picture -----------------------------------------------------------------------

GROUND, TEXT, MUTED = (250, 250, 248), (28, 32, 38), (96, 104, 116)
PAPER, RAISES, LOWERS = (12, 16, 23), (255, 166, 64), (84, 160, 255)


def poster(steps: list[int], weights: np.ndarray, gradients: np.ndarray) -> bytes:
    """A PNG: for each step the weights above and the gradient below it; blue is negative.

    weights: (steps, 784), on one scale; gradients: (steps, 784), each on its own.
    """
    from PIL import Image, ImageDraw, ImageFont

    tile, gap, left, top = 168, 16, 110, 48
    sheet = Image.new(
        "RGB", (left + len(steps) * (tile + gap) + 12, top + 2 * (tile + gap) + 12), GROUND
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for row, (name, values) in enumerate((("weights", weights), ("gradient", gradients))):
        y = top + row * (tile + gap)
        pen.text((20, y + tile / 2), name, MUTED, font, anchor="lm")
        for column, (step, picture) in enumerate(zip(steps, values)):
            x = left + column * (tile + gap)
            limit = np.abs(values if row == 0 else picture).max() or 1
            share = (picture / limit).reshape(SIDE, SIDE, 1)
            towards = np.where(share > 0, RAISES, LOWERS)
            pixels = np.rint(PAPER + np.abs(share) * (towards - np.array(PAPER)))
            small = Image.fromarray(pixels.astype(np.uint8))
            sheet.paste(small.resize((tile, tile), Image.Resampling.NEAREST), (x, y))
            if row == 0:
                pen.text((x + tile / 2, 26), f"step {step:,}", TEXT, font, anchor="mm")
    out = io.BytesIO()
    sheet.quantize(64, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
