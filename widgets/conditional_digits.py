"""A packed conditional generator: label, noise, truncation, and the way between two classes."""

from __future__ import annotations

import numpy as np
import traitlets as t

from .base import CourseWidget, Number
from .latent import LatentPoint, frozen
from .pack import Net, pack
from .posters import digit_table

CLASSES, PIXELS = 10, 784
MAX_DIRECTIONS = 8


class ConditionalDigits(CourseWidget, front="conditional_digits.js"):
    """Choose a label and noise, and see what a conditional generator makes of them.

    generator
        An `nn.Sequential` from (N, latent_dim + 10) to 784 pixels in [0, 1]: noise first, then the
        one-hot label times `label_scale`. The widget keeps a copy.
    directions
        Directions of the noise with a slider, (1 to 8, latent_dim), of length 1.
    z
        The noise at the start, (latent_dim,).

    With a kernel, `widget.z`, `widget.label`, `widget.other`, `widget.mixture` (the other label's
    share, 0 to 1) and `widget.truncation` (what the noise is multiplied by, 0 to 1.5) follow the
    page and can be set.
    """

    _generator = Net()
    _directions = t.Bytes().tag(sync=True)
    _label_scale = t.Float().tag(sync=True)
    z = LatentPoint()
    label = t.Int(3, min=0, max=9).tag(sync=True)
    other = t.Int(8, min=0, max=9).tag(sync=True)
    mixture = Number(0.0, min=0, max=1).tag(sync=True)
    truncation = Number(1.0, min=0, max=1.5).tag(sync=True)
    alt = (
        "A generated digit, the same noise with each of the ten labels, and sliders for the noise. "
        "The picture shows one row per noise, one column per label."
    )

    def __init__(
        self, generator, directions, z, *, label_scale=1.0, dtype="i8", alt=None, **chosen
    ):
        z = np.asarray(z, dtype="f4")
        self.latent_dim = z.size
        inputs = (self.latent_dim + CLASSES,)
        packed = pack(generator, inputs, dtype, name="generator", outputs=PIXELS)
        if packed["spec"]["layers"][-1]["op"] != "sigmoid":
            raise ValueError("the generator must end in a sigmoid, so that pixels are in [0, 1]")
        directions = np.asarray(directions, dtype="<f4")
        count = len(directions)
        if directions.shape != (count, self.latent_dim) or not 1 <= count <= MAX_DIRECTIONS:
            raise ValueError(f"directions must be (1 to {MAX_DIRECTIONS}, {self.latent_dim})")
        if not np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-3):
            raise ValueError("directions must have length 1")
        self._net = frozen(generator)
        super().__init__(
            _generator=packed,
            _directions=directions.tobytes(),
            _label_scale=float(label_scale),
            z=z,
            alt=alt,
            **chosen,
        )

    def generate(self, z, labels) -> np.ndarray:
        """Pixels (N, 28, 28) in [0, 1] for noise (N, latent_dim) and label weights (N, 10)."""
        import torch

        both = np.concatenate([z, self._label_scale * np.asarray(labels)], axis=1)
        with torch.inference_mode():
            return self._net(torch.from_numpy(both.astype("f4"))).reshape(-1, 28, 28).numpy()

    def poster(self) -> bytes:
        """Three rows of the ten labels, the first with the noise `z`."""
        rng = np.random.default_rng(0)
        noise = np.concatenate([self.z[None], rng.standard_normal((2, self.latent_dim))])
        pictures = self.generate(
            np.repeat(noise, CLASSES, axis=0), np.tile(np.eye(CLASSES), (3, 1))
        )
        return digit_table(pictures.reshape(3, CLASSES, 28, 28), columns=range(CLASSES))
