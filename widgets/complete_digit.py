"""An LSTM in the page completes the upper half of a digit, patch by patch, several times over."""

from __future__ import annotations

import numpy as np
import traitlets as t

from .base import CourseWidget, Number
from .pack import Net, pack
from .pictures import DigitImage, Examples, as_bytes, as_examples
from .posters import digit_table

PATCHES, PATCH = 16, 49  # 4 x 4 patches of 7 x 7 pixels, in reading order


class CompleteDigit(Examples, CourseWidget, front="complete_digit.js"):
    """Give the upper half of a digit, see what a sampling LSTM makes of the lower.

    lstm
        An `nn.LSTM`, one layer, batch_first, over 16 patches. At patch t it reads the patch before
        (49 values), the one above (patch t - 4), both 0 where there is none, and `positions[t]`.
    head
        An `nn.Sequential` of plain layers from [patch t (49), hidden state, patch t - 1, t - 4,
        t - 5, t - 3] to 49 logits, of which logit i may depend on the pixels of patch t before i
        only: the weights that its masks remove must be 0. The last two or three of the neighbours
        may be left out.
    positions
        What tells the LSTM where it is: (16, any number).
    examples, example_labels
        Test digits to pick from, (N, 28, 28) or (N, 784), uint8 or in [0, 1]; the first is shown.
    pictures
        For the static picture: completions, (rows, columns, 28, 28) in [0, 1]; may be left out.

    With a kernel, `widget.image` (28, 28), whose upper half is completed, and `widget.temperature`
    (0 to 1.5) follow the page and can be set.
    """

    _lstm = Net()
    _head = Net()
    _positions = t.Bytes().tag(sync=True)
    image = DigitImage()
    temperature = Number(1.0, min=0, max=1.5).tag(sync=True)
    alt = (
        "The upper half of a digit, and five lower halves that a network draws for it. The picture "
        "shows one row per digit: the given half, then completions."
    )

    def __init__(
        self,
        lstm,
        head,
        positions,
        examples,
        example_labels,
        *,
        pictures=None,
        dtype: str = "i8",
        alt: str | None = None,
        temperature: float = 1.0,
    ):
        from torch import nn

        positions = np.asarray(positions, dtype="<f4")
        if positions.ndim != 2 or len(positions) != PATCHES or not np.isfinite(positions).all():
            raise ValueError(f"positions must be finite and ({PATCHES}, any number)")
        inputs = 2 * PATCH + positions.shape[1]
        packed_lstm = pack(nn.Sequential(lstm), (PATCHES, inputs), dtype)
        hidden = packed_lstm["spec"]["output"] // PATCHES
        sizes = [PATCH + hidden + k * PATCH for k in range(1, 5)]
        first = next(iter(head), None)
        if getattr(first, "in_features", None) not in sizes:
            raise ValueError(
                f"the head must take 49 pixels, {hidden} hidden values and 1 to 4 patches: "
                f"{', '.join(map(str, sizes))} values"
            )
        packed_head = pack(head, (first.in_features,), dtype, name="head", outputs=PATCH)
        _check_order(head, first.in_features)
        examples = as_bytes(examples, "examples")
        if pictures is not None:
            pictures = np.asarray(pictures)
            if pictures.ndim != 4:
                raise ValueError("pictures must be (rows, columns, 28, 28)")
            pictures = as_bytes(pictures, "pictures").reshape(pictures.shape)
        self._pictures = pictures
        super().__init__(
            _lstm=packed_lstm,
            _head=packed_head,
            _positions=positions.tobytes(),
            **as_examples(examples, example_labels),
            image=examples[0],
            temperature=temperature,
            alt=alt,
        )

    def poster(self) -> bytes | None:
        """The given pictures in rows."""
        return None if self._pictures is None else digit_table(self._pictures / np.float32(255))


def _check_order(head, inputs: int):
    """ValueError if logit i sees pixel i or a later one: it would not draw what was learnt."""
    import torch

    generator = torch.Generator().manual_seed(0)
    like = next(head.parameters())
    x = torch.randn((1, inputs), generator=generator).to(like)
    with torch.no_grad():
        before = head(x)
        for i in range(PATCH):
            changed = x.clone()
            changed[0, i] += 1
            if not torch.equal(head(changed)[0, : i + 1], before[0, : i + 1]):
                raise ValueError(f"logit {i} or an earlier one depends on pixel {i}")
