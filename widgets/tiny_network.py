"""Two inputs, two hidden units, one output: backpropagation with numbers that fit on one page."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget, Number

STAGES = ("inputs", "a", "h", "z", "loss", "dz", "dv", "dh", "da", "dw", "dx")
VALUES = ("x1", "x2", "w11", "w12", "w21", "w22", "b11", "b12", "v1", "v2", "b2")
ASKED = ("z", "v2", "a2", "w12", "x1")  # whose derivatives the quiz asks for
QUIZ_ALT = (
    "A network of two inputs, two hidden units and one output, with all its values. Question "
    "marks stand where five derivatives of the loss are to be found."
)


def forward(values: dict[str, float], target: float) -> dict[str, float]:
    """Return every number of the forward pass: a1, a2, h1, h2, z, p and loss.

    values: the inputs x1 and x2 and the nine parameters, see ``VALUES``; w21 is the weight from
    input 1 to hidden unit 2, b12 the bias of layer 1, unit 2, and b2 that of layer 2.  The hidden
    units are tanh, p is the sigmoid of z, and the loss is the cross-entropy of p against the
    target, 0 or 1, in nats.  Works on complex numbers.
    """
    n = values
    a1 = n["w11"] * n["x1"] + n["w12"] * n["x2"] + n["b11"]
    a2 = n["w21"] * n["x1"] + n["w22"] * n["x2"] + n["b12"]
    h1, h2 = np.tanh(a1), np.tanh(a2)
    z = n["v1"] * h1 + n["v2"] * h2 + n["b2"]
    p = 1 / (1 + np.exp(-z))
    loss = -target * np.log(p) - (1 - target) * np.log(1 - p)
    return {"a1": a1, "a2": a2, "h1": h1, "h2": h2, "z": z, "p": p, "loss": loss}


def backward(values: dict[str, float], target: float) -> dict[str, float]:
    """Return the derivative of the loss by every number of ``VALUES`` and by a1, a2, h1, h2, z."""
    n, f = values, forward(values, target)
    d = {"z": f["p"] - target}
    d |= {"v1": d["z"] * f["h1"], "v2": d["z"] * f["h2"], "b2": d["z"]}
    d |= {"h1": d["z"] * n["v1"], "h2": d["z"] * n["v2"]}
    for j in "12":
        d["a" + j] = d["h" + j] * (1 - f["h" + j] ** 2)
        delta = d["a" + j]
        d |= {f"w{j}1": delta * n["x1"], f"w{j}2": delta * n["x2"], f"b1{j}": delta}
    d["x1"] = d["a1"] * n["w11"] + d["a2"] * n["w21"]
    d["x2"] = d["a1"] * n["w12"] + d["a2"] * n["w22"]
    return d


class TinyNetwork(CourseWidget, front="tiny_network.js"):
    """Step forward and backward through a network of six weights, and nudge one number.

    values
        Eleven numbers by name, see ``VALUES``: inputs, weights and biases, each from -3 to 3.
    target
        0 or 1: what the output, a probability, should be.
    quiz
        Instead of the steps, ask the reader for five derivatives, see ``ASKED``, and judge each.

    With a kernel, ``widget.answers`` (five texts of the quiz), ``widget.stage`` (0 to 10, see
    ``STAGES``), ``widget.chosen`` (a name of ``VALUES``, or "") and ``widget.nudge`` (-0.5 to 0.5)
    follow the page and can be set.
    """

    _values = t.Dict(per_key_traits={name: t.Float() for name in VALUES}).tag(sync=True)
    _target = t.Enum([0, 1]).tag(sync=True)
    stage = t.Int(0, min=0, max=len(STAGES) - 1).tag(sync=True)
    chosen = t.Enum(["", *VALUES], "").tag(sync=True)
    nudge = Number(0.0, min=-0.5, max=0.5).tag(sync=True)
    _quiz = t.Bool(False).tag(sync=True)
    answers = t.List(t.Unicode(), [""] * 5, minlen=5, maxlen=5).tag(sync=True)
    alt = (
        "A network of two inputs, two hidden units and one output. Every connection carries its "
        "weight and, below it, the derivative of the loss by that weight."
    )

    def __init__(
        self,
        values: dict[str, float],
        target: int,
        *,
        stage: int = 0,
        quiz: bool = False,
        alt: str | None = None,
    ):
        if set(values) != set(VALUES):
            raise ValueError(f"values must name {', '.join(VALUES)}, not {', '.join(values)}")
        if not all(abs(v) <= 3 for v in values.values()):  # NaN is not
            raise ValueError("every value must be a number from -3 to 3")
        numbers = {name: float(values[name]) for name in VALUES}
        alt = alt or (QUIZ_ALT if quiz else None)
        super().__init__(_values=numbers, _target=target, stage=stage, _quiz=quiz, alt=alt)

    def numbers(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return all values and all derivatives by name, as the page shows them without a nudge."""
        values = dict(self._values)
        return values | forward(values, self._target), backward(values, self._target)

    def poster(self) -> bytes:
        """The network with every value in black and every derivative in orange: PNG.

        Of a quiz, question marks stand in the place of the derivatives that it asks for, and the
        others are left out.
        """
        f, d = self.numbers()
        places = {"x1": (0, 1), "x2": (0, 0), "a1": (1, 1), "a2": (1, 0), "z": (2, 0.5)}
        links = ("w11 x1 a1", "w12 x2 a1", "w21 x1 a2", "w22 x2 a2", "v1 a1 z", "v2 a2 z")
        biases = {"a1": "b11", "a2": "b12", "z": "b2"}
        deltas = {"a1": r"$\delta_{1,1}$", "a2": r"$\delta_{1,2}$", "z": r"$\delta_2$"}
        fig, ax = plots.figure(width=7, height=4)

        def name_of(key):
            index = ",".join(key[1:]) if key[0] == "b" else key[1:]
            return f"${key[0]}_{{{index}}}$" if index else f"${key}$"

        def derivative(key):
            if not self._quiz:
                return f"{deltas.get(key, '')} {d[key]:.3f}".strip().replace("-", "−")
            return f"{deltas.get(key, '')} ?".strip() if key in ASKED else ""

        def write(key, x, y):
            value = f"{name_of(key)} {f[key]:.3f}".replace("-", "−")
            style = {"ha": "center", "fontsize": 11}
            if key not in places:  # a plate over the line; in a circle there is room
                style["bbox"] = {"color": "white", "pad": 0.5}
            if derivative(key):
                ax.text(x, y - 0.015, derivative(key), va="top", color=plots.RED, **style)
            ax.text(x, y + 0.015, value, va="bottom", color="black", **style)

        for link in links:
            name, start, end = link.split()
            (x1, y1), (x2, y2) = places[start], places[end]
            share = 0.27 if (start, end) in (("x2", "a1"), ("x1", "a2")) else 0.5
            ax.plot([x1, x2], [y1, y2], color=plots.GREY, lw=1, zorder=0)
            write(name, x1 + share * (x2 - x1), y1 + share * (y2 - y1))
        for name, (x, y) in places.items():
            ax.scatter(x, y, s=5200, color="white", edgecolors=plots.GREY)
            write(name, x, y)
            if name in biases:
                write(biases[name], x, y - 0.38)
        ax.set(xlim=(-0.3, 2.3), ylim=(-0.6, 1.32))
        below = "find the derivatives at ?" if self._quiz else "below each value its derivative"
        ax.set_title(f"y = {self._target}, p {f['p']:.3f}, loss {f['loss']:.3f}; {below}")
        ax.axis("off")
        return fig.png()
