"""One LSTM cell with a memory of one number: its gates and its state, step by step."""

from __future__ import annotations

import math

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget, Number

GATES = "ifgo"  # input gate, forget gate, candidate, output gate
STEPS = 16
LIMIT = 8.0  # of a bias, on either side of 0


def cell_steps(inputs, weights: dict[str, tuple[float, float, float]]) -> list[dict[str, float]]:
    """Return i, f, g, o, c and h after each of the inputs, from c = h = 0.

    weights: for each of ``GATES`` the weight of the input, that of h, and the bias.
    """
    c = h = 0.0
    steps = []
    for x in inputs:
        sums = {name: w * x + u * h + b for name, (w, u, b) in weights.items()}
        n = {name: 1 / (1 + math.exp(-a)) for name, a in sums.items()}
        n["g"] = math.tanh(sums["g"])
        c = n["f"] * c + n["i"] * n["g"]
        h = n["o"] * math.tanh(c)
        steps.append({**n, "c": c, "h": h})
    return steps


class LstmCell(CourseWidget, front="lstm_cell.js"):
    """Step a cell of one unit through sixteen numbers, and move the biases of two gates.

    weights
        For each of i, f, g and o: the weight of the input, that of h, and the bias, each from -8
        to 8.
    sequences
        Name -> sixteen numbers from -1 to 1; the first is shown.
    presets
        Dicts with a name, the biases ``forget`` and ``enter``, the name of a ``sequence``, and why.

    With a kernel, ``widget.step`` (1 to 16), ``widget.forget`` and ``widget.enter`` (the biases of
    the forget and of the input gate, -8 to 8) and ``widget.sequence`` (a name) follow the page and
    can be set.
    """

    _weights = t.Dict().tag(sync=True)
    _sequences = t.Dict().tag(sync=True)
    _presets = t.List(t.Dict()).tag(sync=True)
    step = t.Int(1, min=1, max=STEPS).tag(sync=True)
    forget = Number(0.0, min=-LIMIT, max=LIMIT).tag(sync=True)
    enter = Number(0.0, min=-LIMIT, max=LIMIT).tag(sync=True)
    sequence = t.Unicode().tag(sync=True)
    alt = (
        "An LSTM cell of one unit reads sixteen numbers. Bars show its gates and its memory at one "
        "step, and a curve shows the memory over all steps, beside that of a plain recurrent unit."
    )

    def __init__(self, weights, sequences, *, presets=(), step: int = 1, alt: str | None = None):
        if set(weights) != set(GATES) or not all(
            len(w) == 3 and all(abs(v) <= LIMIT for v in w) for w in weights.values()
        ):  # NaN is not
            raise ValueError(
                "weights must name i, f, g and o, with three numbers from -8 to 8 each"
            )
        if not sequences or not all(
            len(s) == STEPS and all(abs(v) <= 1 for v in s) for s in sequences.values()
        ):
            raise ValueError(f"every sequence must be {STEPS} numbers from -1 to 1")
        for preset in presets:
            if set(preset) != {"name", "forget", "enter", "sequence", "why"}:
                raise ValueError("a preset has a name, forget, enter, a sequence and why")
            if preset["sequence"] not in sequences:
                raise ValueError(f"there is no sequence {preset['sequence']!r}")
        super().__init__(
            _weights={name: [float(v) for v in w] for name, w in weights.items()},
            _sequences={name: [float(v) for v in s] for name, s in sequences.items()},
            _presets=[dict(p) for p in presets],
            step=step,
            forget=float(weights["f"][2]),
            enter=float(weights["i"][2]),
            sequence=next(iter(sequences)),
            alt=alt,
        )

    @t.validate("sequence")
    def _known(self, proposal):
        if proposal["value"] not in self._sequences:
            raise t.TraitError(f"there is no sequence {proposal['value']!r}")
        return proposal["value"]

    def numbers(self) -> list[dict[str, float]]:
        """Return i, f, g, o, c and h of all sixteen steps, as the page shows them."""
        weights = {name: list(w) for name, w in self._weights.items()}
        weights["f"][2], weights["i"][2] = self.forget, self.enter
        return cell_steps(self._sequences[self.sequence], weights)

    def poster(self) -> bytes:
        """The gates at the step as bars, beside the memory over all steps: PNG."""
        steps, at = self.numbers(), np.arange(1, STEPS + 1)
        now = steps[self.step - 1]
        fig, axes = plots.figure(1, 2, width=7, height=2.6)
        names = "i", "f", "o", "g", "c", "h"
        colours = [plots.ORANGE] * 3 + [plots.BLUE] * 3
        axes[0].barh(names, [now[name] for name in names], color=colours)
        axes[0].invert_yaxis()
        axes[0].set(title=f"step {self.step}: gates (orange), values (blue)", xlim=(-1.05, 1.05))
        axes[1].plot(at, [n["c"] for n in steps], "o-", ms=4, color=plots.BLUE, label="memory c")
        axes[1].step(at, self._sequences[self.sequence], where="mid", color=plots.GREY, label="x")
        axes[1].set(xlabel="step", ylim=(-1.1, None))
        axes[1].legend(fontsize=9)
        return fig.png()
