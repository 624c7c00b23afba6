"""Pictures of digits as widgets need them: checked, as bytes, packed."""

from __future__ import annotations

import zlib

import numpy as np
import traitlets as t

SIDE = 28


def as_bytes(images, name: str) -> np.ndarray:
    """Pictures as uint8 of shape (N, 28, 28): from uint8 0-255, or from numbers in [0, 1]."""
    array = np.asarray(images)
    if array.size == 0 or array.size % (SIDE * SIDE) or array.shape[-1] not in (SIDE, SIDE * SIDE):
        raise ValueError(f"{name} has shape {array.shape}, but must be (N, 28, 28) or (N, 784)")
    array = array.reshape(-1, SIDE, SIDE)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}, but must hold numbers")
    array = array.astype(float)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are NaN or infinite")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"{name} ranges over [{array.min():g}, {array.max():g}], not within [0, 1]"
        )
    return np.rint(array * 255).astype(np.uint8)


def as_labels(labels, name: str, count: int) -> list[int]:
    array = np.asarray(labels)
    if array.shape != (count,):
        raise ValueError(f"{name} has shape {array.shape}, but there are {count} pictures")
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 9:
        raise ValueError(f"{name} must be whole numbers from 0 to 9")
    return [int(v) for v in array]


class Examples(t.HasTraits):
    """The test digits of a widget that a reader can pick from; `as_examples` makes the values."""

    _examples = t.Bytes().tag(sync=True)
    _example_labels = t.List(t.Int()).tag(sync=True)


def as_examples(images: np.ndarray, labels) -> dict:
    """What an `Examples` widget is made with: pictures as `as_bytes` gives them, and labels."""
    labels = as_labels(labels, "example_labels", len(images))
    return {"_examples": images.tobytes(), "_example_labels": labels}


def pack_grey(images: np.ndarray) -> bytes:
    """16 levels of grey, two pixels a byte, zlib: about 95 bytes for an MNIST digit."""
    levels = np.rint(images.reshape(-1) / 17).astype(np.uint8)
    return zlib.compress((levels[::2] << 4 | levels[1::2]).tobytes(), 9)


class DigitImage(t.TraitType):
    """A picture of shape (28, 28) in steps of 1/255, read-only; it travels as 784 bytes."""

    info_text = "28 x 28 numbers in [0, 1]"

    def __init__(self):
        super().__init__()
        self.tag(sync=True, to_json=self.to_json, from_json=self.from_json)

    def validate(self, obj, value):
        try:
            pixels = as_bytes(value, self.name)
        except (TypeError, ValueError) as error:
            raise t.TraitError(str(error)) from None
        if len(pixels) != 1:
            raise t.TraitError(f"{self.name} has {len(pixels)} pictures, but must be one")
        image = pixels[0] / np.float32(255)
        image.flags.writeable = False
        return image

    @staticmethod
    def to_json(value, widget) -> bytes:
        return np.rint(value * 255).astype(np.uint8).tobytes()

    @staticmethod
    def from_json(value, widget) -> np.ndarray:
        return np.frombuffer(value, np.uint8)  # validate() refuses a wrong number of them
