"""Draw a digit, and a small net says which one it is: in the notebook and in the page alike."""

from __future__ import annotations

import copy
import io

import numpy as np
import traitlets as t

from .base import CourseWidget
from .pack import pack
from .pictures import SIDE, DigitImage, as_bytes, as_labels, pack_grey


class DrawDigit(CourseWidget, front="draw_digit.js"):
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

    _net = t.Dict().tag(sync=True)
    _weights = t.Bytes().tag(sync=True)
    _examples = t.Bytes().tag(sync=True)
    _example_labels = t.List(t.Int()).tag(sync=True)
    _neighbours = t.Bytes().tag(sync=True)
    _neighbour_labels = t.List(t.Int()).tag(sync=True)
    image = DigitImage().tag(sync=True, to_json=DigitImage.to_json, from_json=DigitImage.from_json)
    example = t.Int(-1).tag(sync=True)
    temperature = t.Float(1.0, min=0.1, max=10).tag(sync=True)
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
        spec, weights = pack(model, (SIDE * SIDE,), dtype)
        if spec["output"] != 10 or spec["layers"][-1]["op"] == "softmax":
            raise ValueError("the model must end in ten logits, without a softmax")
        self._model = copy.deepcopy(model).cpu().eval()
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
            _net=spec,
            _weights=weights,
            _examples=self._pictures.tobytes(),
            _example_labels=as_labels(example_labels, "example_labels", len(self._pictures)),
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

        pixels = torch.from_numpy(np.array(images, dtype="f4").reshape(-1, SIDE * SIDE))
        with torch.inference_mode():
            return self._model(pixels).float().numpy()

    def _classify(self, images: np.ndarray) -> np.ndarray:
        z = self._scores(images) / self.temperature
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    @t.validate("example")
    def _check_example(self, proposal):
        if not -1 <= proposal["value"] < len(self._pictures):
            raise t.TraitError(f"example must be -1, or 0 to {len(self._pictures) - 1}")
        return proposal["value"]

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
        pictures = self._pictures[:6]
        return poster(
            pictures, self._example_labels[:6], self._classify(pictures / np.float32(255))
        )


# ---- the static picture -----------------------------------------------------------------------

GROUND, TEXT, MUTED = (250, 250, 248), (28, 32, 38), (96, 104, 116)
PAPER, TRACK, BAR, BEST = (12, 16, 23), (228, 230, 233), (146, 154, 166), (40, 115, 216)


def poster(images: np.ndarray, labels: list[int], probabilities: np.ndarray) -> bytes:
    """A PNG with digits in rows of three, each beside its three highest probabilities as bars."""
    from PIL import Image, ImageDraw, ImageFont

    cell_width, cell_height, tile = 400, 176, 140
    columns = 2 if len(images) == 4 else min(3, len(images))
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * cell_width + 20, rows * cell_height + 24), GROUND)
    pen = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(22), ImageFont.load_default(17)
    ramp = np.linspace(PAPER, (255, 255, 255), 256).round().astype(np.uint8)  # white on dark
    for i, (image, label, p) in enumerate(zip(images, labels, probabilities)):
        x, y = 28 + i % columns * cell_width, 28 + i // columns * cell_height
        picture = Image.fromarray(ramp[image]).resize((tile, tile), Image.Resampling.NEAREST)
        sheet.paste(picture, (x, y))
        x += tile + 20
        pen.text((x, y - 3), f"test digit, labelled {label}", MUTED, small)
        for row, digit in enumerate(np.argsort(-p, kind="stable")[:3]):
            top, colour = y + 34 + 38 * row, BEST if row == 0 else BAR
            pen.text((x, top), str(digit), TEXT if row == 0 else MUTED, font)
            if digit == label:  # boxed, as in the page
                pen.rounded_rectangle((x - 6, top - 1, x + 17, top + 27), 5, outline=MUTED)
            pen.rectangle((x + 24, top + 6, x + 124, top + 20), TRACK)
            if round(100 * p[digit]):
                pen.rectangle((x + 24, top + 6, x + 24 + round(100 * p[digit]), top + 20), colour)
            text = "> 99 %" if 0.995 < p[digit] < 1 else f"{100 * p[digit]:.0f} %"
            pen.text((x + 204, top), text, TEXT if row == 0 else MUTED, font, anchor="ra")
    out = io.BytesIO()
    sheet.quantize(64, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
