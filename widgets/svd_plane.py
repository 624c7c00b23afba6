"""SVD in the plane: a matrix rotates, stretches and rotates, and what one term keeps of it."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget, Number

LIMIT = 2.0  # of an entry, on either side of 0
POINTS = 80  # in the circle of inputs


class SvdPlane(CourseWidget, front="svd_plane.js"):
    """Move a 2 x 2 matrix, and see its SVD, its rank-1 image, and which inputs that image serves.

    matrix
        Two rows of two numbers from -2 to 2.

    With a kernel, ``widget.matrix`` (the four numbers, row by row), ``widget.stage`` (0 the
    inputs, 1 rotated, 2 stretched, 3 rotated again), ``widget.angle`` (of the inputs' long axis,
    in degrees, -90 to 90) and ``widget.width`` (of the short axis over the long one, 0.05 to 1)
    follow the page and can be set.
    """

    matrix = t.List(Number(min=-LIMIT, max=LIMIT), minlen=4, maxlen=4).tag(sync=True)
    stage = Number(3.0, min=0, max=3).tag(sync=True)
    angle = Number(-45.0, min=-90, max=90).tag(sync=True)
    width = Number(1.0, min=0.05, max=1).tag(sync=True)
    _points = t.List().tag(sync=True)  # [[x, y], ...], of covariance I / 4
    alt = (
        "A circle of inputs and the ellipse that a matrix makes of it, with the two directions "
        "that stay at right angles, and the line that a matrix of rank 1 makes of all inputs."
    )

    def __init__(self, matrix, *, alt: str | None = None):
        rows = [[float(v) for v in row] for row in matrix]
        super().__init__(matrix=sum(rows, []), _points=_disc().round(4).tolist(), alt=alt)

    def numbers(self) -> dict:
        """Singular values, the rank-1 matrix, and the share of the outputs' mean square kept.

        ``plain`` keeps the matrix's largest term, ``outputs`` the direction in which the outputs of
        these inputs vary most; both shares are 1 where there is nothing to keep.
        """
        w = np.array(self.matrix).reshape(2, 2)
        u, s, vt = np.linalg.svd(w)
        rank_one = s[0] * np.outer(u[:, 0], vt[0])
        total = np.trace(w @ self._covariance() @ w.T)
        lost = w - rank_one
        missing = np.trace(lost @ self._covariance() @ lost.T)
        least = np.linalg.eigvalsh(w @ self._covariance() @ w.T)[0]
        kept = [1 - part / total if total > 0 else 1.0 for part in (missing, least)]
        return {"sigma": s, "rank_one": rank_one, "plain": kept[0], "outputs": kept[1]}

    def _covariance(self) -> np.ndarray:
        along = np.array([np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))])
        return (np.outer(along, along) * (1 - self.width**2) + np.eye(2) * self.width**2) / 4

    def poster(self) -> bytes:
        """The circle with v1 and v2, and the ellipse with what they become: PNG."""
        w = np.array(self.matrix).reshape(2, 2)
        u, s, vt = np.linalg.svd(w)
        sign = np.where(vt[:, 1] < 0, -1, 1)  # upwards; a pair may be turned together
        u, vt = u * sign, vt * sign[:, None]
        turn = np.linspace(0, 2 * np.pi, 200)
        circle = np.array([np.cos(turn), np.sin(turn)])
        fig, axes = plots.figure(1, 2, width=7, height=3.4)
        for ax, shape, arrows, names in (
            (axes[0], circle, vt, ("v_1", "v_2")),
            (axes[1], w @ circle, (u * s).T, ("\\sigma_1u_1", "\\sigma_2u_2")),
        ):
            ax.plot(*shape, color=plots.GREY)
            for (x, y), name, colour in zip(arrows, names, (plots.BLUE, plots.RED)):
                arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2}
                ax.annotate("", (x, y), (0, 0), arrowprops=arrow)
                ax.annotate(f"${name}$", (x, y), (6, 6), textcoords="offset points", color=colour)
            ax.set(xlim=(-3.1, 3.1), ylim=(-3.1, 3.1), aspect="equal")
        axes[1].axline((0, 0), u[:, 0], color=plots.ORANGE, ls="--", lw=1.2)
        axes[0].set_title("inputs $x$")
        axes[1].set_title("outputs $Wx$; dashed: rank 1")
        return fig.png()


def _disc() -> np.ndarray:
    """Points evenly in a disc of radius about 1, whose covariance is I / 4 exactly."""
    k = np.arange(POINTS) + 0.5
    turn = k * np.pi * (3 - 5**0.5)
    points = np.sqrt(k / POINTS)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    points -= points.mean(0)
    root = np.linalg.cholesky(np.linalg.inv(points.T @ points / POINTS))
    return points @ root / 2
