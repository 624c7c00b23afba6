"""Rank dial: one rank for each layer of a factorised net, and what the net still knows."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget
from .pack import Net, as_array, pack
from .pictures import SIDE, DigitImage, Examples, as_bytes, as_examples, as_labels, pack_grey

PIXELS = SIDE * SIDE


class RankDial(Examples, CourseWidget, front="rank_dial.js"):
    """Choose the rank of each layer of a factorised net; the page runs it, truncated.

    model
        An `nn.Sequential` from (N, 784) pixels to ten logits in which each pair `nn.Linear(n, r),
        nn.Linear(r, m)` stands for one layer, its components in order of importance: the first k
        of them are the layer at rank k. All pairs have the same r; a last `nn.Linear` stays as it
        is. A bias of a pair's first half could be folded into the second's: it is not counted.
    spectra
        One sequence per pair: by how much each component varies (a standard deviation, or a
        singular value), largest first, at least r of them. Shares that are kept refer to all.
    curve
        Measured (rank, accuracy) pairs, one rank for all layers, in order of rank.
    full_parameters, full_accuracy
        Of the net before factorisation.
    examples, example_labels
        Test digits to pick from, (N, 28, 28) or (N, 784).
    judges, judge_labels
        Test digits that the page counts hits on, at most 400.
    rank
        The rank of all layers that is shown first.
    presets
        Settings with a reason, one press each: dicts of ``name``, ``ranks`` (one per pair), ``why``
        and, if it was measured, ``accuracy``.
    image
        The number of the example that is shown first.

    With a kernel, `widget.ranks` (one per pair) follows the page and can be set; `widget.image` is
    the digit shown, `widget.probabilities` what the truncated model makes of it.
    """

    _net = Net()
    _spectra = t.List().tag(sync=True)
    _curve = t.List().tag(sync=True)
    _full = t.List(t.Float()).tag(sync=True)  # parameters, accuracy
    _totals = t.List(t.Float()).tag(sync=True)  # of each whole spectrum, the sum of squares
    _presets = t.List(t.Dict()).tag(sync=True)
    _judges = t.Bytes().tag(sync=True)  # zlib, 16 levels of grey
    _judge_labels = t.List(t.Int()).tag(sync=True)
    ranks = t.List(t.Int()).tag(sync=True)
    image = DigitImage()
    alt = (
        "A slider for the rank of each layer of a network, and what the truncated network still "
        "knows. The picture shows test accuracy against rank."
    )

    def __init__(
        self,
        model,
        spectra,
        curve,
        examples,
        example_labels,
        judges,
        judge_labels,
        *,
        full_parameters: int,
        full_accuracy: float,
        rank: int | None = None,
        presets=(),
        image: int = 0,
        dtype: str = "i8",
        alt: str | None = None,
    ):
        self._pairs, self._last = _factors(model)
        self._most = self._pairs[0][0].shape[0]
        totals = [float(np.square(np.asarray(s, float)).sum()) for s in spectra]
        spectra = [[float(v) for v in s[: 2 * self._most]] for s in spectra]
        if len(spectra) != len(self._pairs) or any(len(s) < self._most for s in spectra):
            raise ValueError(
                f"spectra: {len(self._pairs)} sequences of at least {self._most} values are needed"
            )
        if not np.isfinite(np.concatenate(spectra)).all() or min(map(min, spectra)) < 0:
            raise ValueError("spectra must hold finite values, none below zero")
        curve = [[int(r), float(a)] for r, a in curve]
        if len(curve) < 2 or any(a[0] >= b[0] for a, b in zip(curve, curve[1:])):
            raise ValueError("curve: at least two (rank, accuracy) pairs, in order of rank")
        if not all(0 <= a <= 1 for _, a in curve) or not 0 <= full_accuracy <= 1:
            raise ValueError("accuracies must lie in [0, 1]")
        presets = [
            {"accuracy": None, **preset, "ranks": list(preset["ranks"])} for preset in presets
        ]
        for preset in presets:
            if len(preset["ranks"]) != len(self._pairs) or not self._allows(preset["ranks"]):
                raise ValueError(f"the preset {preset['name']!r} has no {len(self._pairs)} ranks")
        pictures, judges = as_bytes(examples, "examples"), as_bytes(judges, "judges")
        if len(judges) > 400:
            raise ValueError(f"{len(judges)} judges are too many for the page: at most 400")
        super().__init__(
            _net=pack(model, (PIXELS,), dtype),
            _spectra=spectra,
            _curve=curve,
            _full=[int(full_parameters), float(full_accuracy)],
            **as_examples(pictures, example_labels),
            _judges=pack_grey(judges),
            _judge_labels=as_labels(judge_labels, "judge_labels", len(judges)),
            _totals=totals,
            _presets=presets,
            ranks=[self._most if rank is None else int(rank)] * len(self._pairs),
            image=pictures[image],
            alt=alt,
        )

    @t.validate("ranks")
    def _check_ranks(self, proposal):
        ranks = proposal["value"]
        if len(ranks) != len(self._pairs) or not self._allows(ranks):
            raise t.TraitError(f"ranks: {len(self._pairs)} whole numbers from 1 to {self._most}")
        return ranks

    def _allows(self, ranks) -> bool:
        return all(isinstance(r, int) and 1 <= r <= self._most for r in ranks)

    @property
    def parameters(self) -> int:
        """Numbers that the net has at these ranks: factors, biases and the last layer."""
        inner = sum(
            r * (down.shape[1] + up.shape[0]) + len(bias)
            for r, (down, _, up, bias) in zip(self.ranks, self._pairs)
        )
        return inner + sum(a.size for a in self._last)

    @property
    def probabilities(self) -> np.ndarray:
        """The truncated model's ten probabilities for `image`."""
        h = self.image.reshape(PIXELS).astype(float)
        for r, (down, shift, up, bias) in zip(self.ranks, self._pairs):
            h = np.maximum(up[:, :r] @ (down[:r] @ h + shift[:r]) + bias, 0)
        logits = self._last[0] @ h + self._last[1]
        e = np.exp(logits - logits.max())
        return e / e.sum()

    def poster(self) -> bytes:
        """Test accuracy against rank, as measured."""
        fig, ax = plots.figure(width=7.2, height=3.0)
        rank, accuracy = np.array(self._curve).T
        ax.semilogx(rank, 100 * accuracy, "o-")
        ax.axhline(100 * self._full[1], color=plots.GREY, ls="--", lw=1)
        ax.text(rank[0], 100 * self._full[1] - 4, "full rank", color=plots.GREY)
        ax.set(xlabel="rank of every layer", ylabel="test digits right (%)")
        ax.set_xticks(rank, [f"{int(r)}" for r in rank])
        ax.minorticks_off()
        return fig.png()


def _factors(model):
    """[(down (r, n), shift (r,), up (m, r), bias (m,)), ...], and the last layer's two arrays."""
    layers = [m for m in model if type(m).__name__ != "Flatten"]
    kinds = [type(m).__name__ for m in layers]
    count = len(layers) // 3
    if count < 1 or kinds != ["Linear", "Linear", "ReLU"] * count + ["Linear"]:
        raise ValueError(
            "the model must consist of Linear, Linear, ReLU for each layer and a last Linear"
        )
    arrays = []
    for m in (m for m in layers if type(m).__name__ == "Linear"):
        bias = np.zeros(m.out_features) if m.bias is None else as_array(m.bias)
        arrays.append((as_array(m.weight), bias))
    pairs, last = list(zip(arrays[:-1:2], arrays[1:-1:2])), arrays[-1]
    if len({down[0].shape[0] for down, _ in pairs}) != 1:
        raise ValueError("all pairs must have the same number of components")
    if last[0].shape[0] != 10:
        raise ValueError(f"the model must end in ten logits, not {last[0].shape[0]}")
    return [(*down, *up) for down, up in pairs], last
