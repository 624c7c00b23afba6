"""Three scores, their softmax as a point in a triangle, the loss, and the push p - y."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget, Number

LIMIT = 6.0  # of a score, on either side of 0


class ThreeScores(CourseWidget, front="three_scores.js"):
    """Move three scores and see the probabilities, the loss and its slope by each score.

    scores
        Three numbers from -6 to 6.
    label
        The number of the right class, 0 to 2.
    names
        Three short names of the classes.

    With a kernel, ``widget.scores``, ``widget.shift`` (-10 to 10, added to all three),
    ``widget.temperature`` (0.1 to 10) and ``widget.label`` follow the page and can be set.
    """

    scores = t.List(Number(min=-LIMIT, max=LIMIT), minlen=3, maxlen=3).tag(sync=True)
    shift = Number(0.0, min=-10, max=10).tag(sync=True)
    temperature = Number(1.0, min=0.1, max=10).tag(sync=True)
    label = t.Int(0, min=0, max=2).tag(sync=True)
    _names = t.List(t.Unicode(), minlen=3, maxlen=3).tag(sync=True)
    alt = (
        "Three scores become three probabilities, drawn as bars and as a point in a triangle whose "
        "corners are the classes, with the loss of the right class and the slope by each score."
    )

    def __init__(self, scores, label: int, names=("A", "B", "C"), *, alt: str | None = None):
        super().__init__(
            scores=[float(s) for s in scores], label=label, _names=[str(n) for n in names], alt=alt
        )

    def numbers(self) -> tuple[np.ndarray, float, np.ndarray]:
        """Return the probabilities (3,), the loss in nats, and p - y (3,), as the page shows."""
        z = (np.array(self.scores) + self.shift) / self.temperature
        e = np.exp(z - z.max())
        p = e / e.sum()
        return p, float(-np.log(p[self.label])), p - np.eye(3)[self.label]

    def poster(self) -> bytes:
        """The probabilities as bars beside the triangle with its point: PNG."""
        p, loss, push = self.numbers()
        corners = np.array([[0, 0], [1, 0], [0.5, 3**0.5 / 2]])
        fig, axes = plots.figure(1, 2, width=7, height=2.8)
        names = [f"{n}: score {s:g}" for n, s in zip(self._names, self.scores)]
        axes[0].barh(names, p, color=plots.BLUE)
        axes[0].barh(names, push, height=0.25, color=plots.ORANGE)
        axes[0].invert_yaxis()
        axes[0].set(title="probability (blue), p − y (orange)", xlim=(-1, 1))
        axes[1].fill(*corners.T, fill=False, edgecolor=plots.GREY)
        axes[1].plot(*(p @ corners), "o", ms=10, color=plots.BLUE)
        for name, (x, y), side in zip(self._names, corners, ("top", "top", "bottom")):
            axes[1].text(x, y, name, ha="center", va=side)
        right = self._names[self.label]
        axes[1].set_title(f"the right class is {right}: loss {loss:.3f}", pad=14)
        axes[1].set_aspect("equal")
        axes[1].axis("off")
        return fig.png()
