"""Draw a digit, and a small net says which one it is: in the notebook and in the page alike."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget, Number, within
from .latent import PIXELS, frozen
from .pack import Net, pack
from .pictures import SIDE, DigitImage, Examples, as_bytes, as_examples, as_labels, pack_grey
from .posters import digit_sheet


class DrawDigit(Examples, CourseWidget, front="draw_digit.js"):
    """Draw a digit, or take a test digit, and see what a net makes of it.

    model
        An `nn.Sequential` from (N, 784) pixels in [0, 1] to ten logits. The widget keeps a copy, so
        later training does not touch it.
    examples, example_labels
        Test digits to pick from, (N, 28, 28) or (N, 784), uint8 or in [0, 1]; the first is shown.
    neighbours, neighbour_labels
        Training digits among which the page finds the nearest (600 take 57 kB); may be left out.
    dtype
        How the weights travel, see `pack`.

    With a kernel, `widget.image` (28, 28) is what the net in the page was fed at the end of the
    last stroke, and can be set; `widget.example` is the number of the example shown, or -1. The
    page computes its scores and probabilities from the packed weights, `widget.logits` and
    `widget.probabilities` are the model's. `widget.temperature` (0.1 to 10) divides all scores
    before softmax.
    """

    _net = Net()
    _neighbours = t.Bytes().tag(sync=True)
    _neighbour_labels = t.List(t.Int()).tag(sync=True)
    image = DigitImage()
    example = t.Int(-1).tag(sync=True)
    temperature = Number(1.0, min=0.1, max=10).tag(sync=True)
    alt = (
        "Draw a digit and a small net says which one it is. The picture shows test digits, "
        "each with the net's three most probable answers."
    )

    def __init__(
        self,
        model,
        examples,
        example_labels,
        *,
        neighbours=None,
        neighbour_labels=None,
        dtype: str = "i8",
        alt: str | None = None,
    ):
        self._model = frozen(model)
        self._pictures = as_bytes(examples, "examples")
        if (neighbours is None) != (neighbour_labels is None):
            raise ValueError("neighbours and neighbour_labels go together")
        traits = {}
        if neighbours is not None:
            pictures = as_bytes(neighbours, "neighbours")
            traits["_neighbours"] = pack_grey(pictures)
            traits["_neighbour_labels"] = as_labels(
                neighbour_labels, "neighbour_labels", len(pictures)
            )
        super().__init__(
            _net=pack(model, (PIXELS,), dtype, name="model", outputs=10, logits=True),
            **as_examples(self._pictures, example_labels),
            image=self._pictures[0],
            example=0,
            alt=alt,
            **traits,
        )

    @property
    def logits(self) -> np.ndarray:
        """The model's ten scores for `image`."""
        return self._scores(self.image[None])[0]

    @property
    def probabilities(self) -> np.ndarray:
        """The model's ten probabilities for `image`, at `temperature`."""
        return self._classify(self.image[None])[0]

    def _scores(self, images: np.ndarray) -> np.ndarray:
        import torch

        pixels = torch.from_numpy(np.array(images, dtype="f4").reshape(-1, PIXELS))
        with torch.inference_mode():
            return self._model(pixels).float().numpy()

    def _classify(self, images: np.ndarray) -> np.ndarray:
        z = self._scores(images) / self.temperature
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    @t.validate("example")
    def _check_example(self, proposal):
        return within(proposal, -1, len(self._pictures) - 1)

    @t.observe("example")
    def _show_example(self, change):
        if change["new"] >= 0 and not self._shows(change["new"]):
            self.image = self._pictures[change["new"]]

    @t.observe("image")
    def _leave_example(self, change):
        if self.example >= 0 and not self._shows(self.example):
            self.example = -1

    def _shows(self, example: int) -> bool:
        return np.array_equal(np.rint(self.image * 255), self._pictures[example])

    def poster(self) -> bytes:
        """Up to six examples, each beside the three most probable answers."""
        count = min(6, len(self._pictures))
        columns = 2 if count in (2, 4) else min(3, count)
        rows = -(-count // columns)
        fig, ax = plots.figure(width=2.4 * columns, height=1.3 * rows)
        likely = self._classify(self._pictures[:count] / np.float32(255))
        for k, p in enumerate(likely):
            x, y = 70 * (k % columns), 38 * (k // columns)
            digit = digit_sheet(self._pictures[None, k : k + 1] / 255)
            ax.imshow(digit, extent=(x, x + SIDE, y + SIDE, y))
            ax.text(x, y - 2, f"test digit, labelled {self._example_labels[k]}", fontsize=9)
            for row, answer in enumerate(np.argsort(-p, kind="stable")[:3]):
                middle, colour = y + 5 + 9 * row, plots.BLUE if row == 0 else plots.GREY
                ax.barh(middle, 15 * p[answer], 5, left=x + 37, color=colour)
                share = "> 99 %" if 0.995 < p[answer] < 1 else f"{100 * p[answer]:.0f} %"
                ax.text(x + 34, middle, answer, ha="right", va="center")
                ax.text(x + 38 + 15 * p[answer], middle, share, va="center", fontsize=10)
        ax.set(xlim=(0, 70 * columns), ylim=(38 * rows - 8, -8))
        ax.axis("off")
        return fig.png(32)
