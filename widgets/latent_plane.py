"""The latent plane of a VAE with two latent dimensions: move a point, and the decoder draws."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget
from .latent import LatentPoint, decode, frozen
from .pack import Net, pack
from .pictures import Examples, as_bytes, as_examples, as_labels
from .posters import digit_sheet

GRID = 12  # decoded digits along each side of the static picture


class LatentPlane(Examples, CourseWidget, front="latent_plane.js"):
    """A map of a two-dimensional latent space, with the codes of test images and a point to move.

    decoder
        An `nn.Sequential` from (N, 2) to 784 logits. The widget keeps a copy, so later training
        does not touch it.
    codes, labels
        Posterior means (M, 2) of M test images, and their labels (M,). 2,000 take 10 kB.
    encoder
        An `nn.Sequential` from (N, 784) pixels in [0, 1] to four numbers, the mean and then the
        log-variance. With it, the reader can draw a digit and see where it lies on the map.
    examples, example_labels
        Test digits that the reader can encode, (N, 28, 28) or (N, 784), uint8 or in [0, 1]. They
        need the encoder, and it needs them.
    extent
        The map shows both coordinates from -extent to extent; by default the smallest multiple of
        0.5 that has room for 99 % of the codes.
    dtype
        How the weights travel, see `pack`.

    With a kernel, `widget.z` (2,) is where the reader left the point, and can be set. The page
    decodes with the packed weights, `widget.decoded` with the model itself.
    """

    latent_dim = 2
    _decoder = Net()
    _encoder = Net()
    _codes = t.Bytes().tag(sync=True)  # int16, in steps of _code_step
    _code_step = t.Float().tag(sync=True)
    _labels = t.Bytes().tag(sync=True)  # uint8
    _extent = t.Float().tag(sync=True)
    _colours = t.List(t.Unicode(), plots.DIGITS).tag(sync=True)
    z = LatentPoint()
    alt = (
        "Move a point across the latent plane and the decoder draws a digit. The picture shows the "
        "codes of test images, each as its numeral, beside digits decoded from a grid of points."
    )

    def __init__(
        self,
        decoder,
        codes,
        labels,
        *,
        encoder=None,
        examples=None,
        example_labels=None,
        extent: float | None = None,
        dtype: str = "i8",
        alt: str | None = None,
    ):
        codes = np.asarray(codes, dtype=float)
        if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes):
            raise ValueError(f"codes has shape {codes.shape}, but must be (M, 2)")
        if not np.isfinite(codes).all():
            raise ValueError("codes has values that are NaN or infinite")
        if extent is None:
            extent = max(0.5, np.ceil(2 * np.quantile(np.abs(codes).max(axis=1), 0.99)) / 2)
        if not 0 < extent < np.inf:
            raise ValueError(f"extent is {extent!r}, but must be a positive number")
        parts = (encoder, examples, example_labels)
        if any(part is None for part in parts) and any(part is not None for part in parts):
            raise ValueError("encoder, examples and example_labels go together")
        traits = {}
        if encoder is not None:
            pictures = as_bytes(examples, "examples")
            traits = as_examples(pictures, example_labels)
            traits["_encoder"] = pack(encoder, (784,), dtype, name="encoder", outputs=4)
        step = max(np.abs(codes).max(), 1e-6) / 32767
        self._decoder_net = frozen(decoder)
        super().__init__(
            _decoder=pack(decoder, (2,), dtype, name="decoder", outputs=784, logits=True),
            _codes=np.rint(codes / step).astype("<i2").tobytes(),
            _code_step=float(step),
            _labels=bytes(as_labels(labels, "labels", len(codes))),
            _extent=float(extent),
            z=np.zeros(2),
            alt=alt,
            **traits,
        )

    @property
    def decoded(self) -> np.ndarray:
        """What the decoder draws at `z`: float32 (28, 28), the probability of ink at each pixel."""
        return decode(self._decoder_net, self.z[None])[0]

    def poster(self) -> bytes:
        """The codes as numerals, beside digits decoded from a grid over the same square."""
        middles = (2 * np.arange(GRID) + 1 - GRID) / GRID * self._extent
        grid = np.stack(np.meshgrid(middles, -middles), axis=-1).reshape(-1, 2)
        digits = decode(self._decoder_net, grid).reshape(GRID, GRID, 28, 28)
        codes = self._code_step * np.frombuffer(self._codes, "<i2").reshape(-1, 2)
        labels = np.frombuffer(self._labels, np.uint8)
        fig, (left, right) = plots.figure(1, 2, width=7.2, height=3.8)
        for digit, colour in enumerate(plots.DIGITS):
            chosen = codes[labels == digit]
            left.scatter(*chosen.T, s=14, color=colour, marker=f"${digit}$", linewidths=0)
        limits = (-self._extent, self._extent)
        left.set(xlim=limits, ylim=limits, aspect="equal", facecolor=plots.DARK)
        left.set_title(f"codes of {len(codes):,} test images")
        right.imshow(digit_sheet(digits, gap=0), extent=(*limits, *limits))
        right.set_title("decoded from a grid of points")
        for ax in (left, right):
            ax.set(xticks=[], yticks=[])
        return fig.png()
