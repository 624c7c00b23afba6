"""Real digits to train on in the page: one file of the site, or from Python where a kernel runs."""

from __future__ import annotations

import contextlib
import io
import zlib

import numpy as np
import traitlets as t

from .base import CourseWidget
from .pictures import SIDE, pack_grey

TRAINING, HELD_OUT = 4000, 1000


def training_digits() -> dict:
    """Return 4,000 digits to train on and 1,000 held out, as js/lib/digits.js reads them.

    Both are spread evenly over MNIST's training images: the first over all but the last sixth, the
    second over that last sixth, the chapters' validation split.  The test images stay out of it.

    pixels: bytes, all 5,000 pictures as ``pack_grey`` packs them, in 16 levels of grey.
    labels: a string of 5,000 digits.
    held_out: how many of them, at the end, are held out.
    """
    from utils import data

    with contextlib.redirect_stdout(io.StringIO()):  # the chapter has said where they come from
        digits = data.mnist("train")
    size = len(digits.labels)
    split = size - size // 6
    chosen = np.concatenate(
        [
            np.linspace(0, split - 1, min(TRAINING, split)).round().astype(int),
            np.linspace(split, size - 1, min(HELD_OUT, size - split)).round().astype(int),
        ]
    )
    images = digits.images[chosen].numpy().reshape(-1, 28, 28) * 255
    return {
        "pixels": pack_grey(images),
        "labels": "".join(map(str, digits.labels[chosen].tolist())),
        "held_out": min(HELD_OUT, size - split),
    }


def unpacked_digits():
    """Return the same digits as torch tensors: (images (N, 784) in [0, 1], labels), twice.

    First those to train on, then those held out.
    """
    import torch

    found = training_digits()
    packed = np.frombuffer(zlib.decompress(found["pixels"]), np.uint8)
    pixels = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1, SIDE * SIDE) / 15
    images = torch.tensor(pixels, dtype=torch.float32)
    labels = torch.tensor([int(label) for label in found["labels"]])
    split = len(labels) - found["held_out"]
    return (images[:split], labels[:split]), (images[split:], labels[split:])


class TrainsInPage(CourseWidget):
    """A figure that trains on digits: with a kernel they are sent when the page asks for them.

    In the built book there is no kernel, and the front end loads them from the site's own file.
    """

    _digits_wanted = t.Bool(False).tag(sync=True)
    _digits = t.Dict().tag(sync=True)

    @t.observe("_digits_wanted")
    def _send_digits(self, change):
        if change["new"] and not self._digits:
            self._digits = training_digits()
