"""Traverse the latent space of a VAE: one slider for each dimension that the model uses."""

from __future__ import annotations

import numpy as np
import traitlets as t

from .base import CourseWidget
from .latent import LatentPoint, decode, encode, frozen
from .pack import Net, pack
from .pictures import DigitImage, Examples, as_bytes, as_examples
from .posters import digit_table

ACTIVE_KL = 0.05  # nats: a dimension with less says next to nothing about its image


class LatentTraversal(Examples, CourseWidget, front="latent_traversal.js"):
    """Encode a digit, then move along one latent dimension at a time and see it change.

    encoder, decoder
        An `nn.Sequential` from (N, 784) pixels in [0, 1] to 2 * latent_dim numbers, means first and
        then log-variances, and one from (N, latent_dim) to 784 logits. The widget keeps copies, so
        later training does not touch it.
    examples, example_labels
        Test digits to encode, (N, 28, 28) or (N, 784), uint8 or in [0, 1]; it starts with the
        first.
    kl_per_dim
        The KL divergence of the posterior from the prior per dimension, in nats, averaged over
        images: (latent_dim,). It orders the sliders.
    active
        The dimensions that get a slider; by default those whose KL is above 0.05 nats.
    dtype
        How the weights travel, see `pack`.

    With a kernel, `widget.z` (latent_dim,) is where the reader left the sliders, and can be set;
    `widget.image` (28, 28) is what was encoded last, and setting it encodes it. The page computes
    with the packed weights, `widget.code` and `widget.decoded` with the model itself.
    """

    _encoder = Net()
    _decoder = Net()
    _active = t.List(t.Int()).tag(sync=True)  # the dimensions with a slider, largest KL first
    _kl = t.List(t.Float()).tag(sync=True)  # nats, in the same order
    image = DigitImage()
    z = LatentPoint()
    alt = (
        "Sliders for the dimensions of the latent space, and the digit that the decoder draws. The "
        "picture shows one row per dimension: the digits decoded as it goes from -3 to 3."
    )

    def __init__(
        self,
        encoder,
        decoder,
        examples,
        example_labels,
        kl_per_dim,
        *,
        active=None,
        dtype: str = "i8",
        alt: str | None = None,
    ):
        packed_encoder = pack(encoder, (784,), dtype)
        self.latent_dim, odd = divmod(packed_encoder["spec"]["output"], 2)
        if odd:
            raise ValueError("the encoder must give as many log-variances as means")
        packed_decoder = pack(
            decoder, (self.latent_dim,), dtype, name="decoder", outputs=784, logits=True
        )
        kl = np.asarray(kl_per_dim, dtype=float)
        if kl.shape != (self.latent_dim,):
            raise ValueError(f"kl_per_dim has shape {kl.shape}, not ({self.latent_dim},)")
        if not (np.isfinite(kl).all() and (kl >= 0).all()):
            raise ValueError("kl_per_dim must hold finite numbers of nats, none below 0")
        pictures = as_bytes(examples, "examples")
        self._encoder_net, self._decoder_net = frozen(encoder), frozen(decoder)
        order = _by_kl(kl, active)
        super().__init__(
            _encoder=packed_encoder,
            _decoder=packed_decoder,
            **as_examples(pictures, example_labels),
            _active=order,
            _kl=[round(float(kl[k]), 4) for k in order],
            image=pictures[0],
            z=encode(self._encoder_net, pictures[:1] / np.float32(255))[0],
            alt=alt,
        )

    @property
    def code(self) -> np.ndarray:
        """The posterior mean of `image`: float32 (latent_dim,)."""
        return encode(self._encoder_net, self.image[None])[0]

    @property
    def decoded(self) -> np.ndarray:
        """What the decoder draws at `z`: float32 (28, 28), the probability of ink at each pixel."""
        return decode(self._decoder_net, self.z[None])[0]

    @t.observe("image")
    def _encode(self, change):
        # The page sends its own code with a new image: nothing to do but for an image set here.
        code = self.code
        if not np.allclose(self.z, code, atol=0.1):
            self.z = code

    def poster(self) -> bytes:
        """Up to eight dimensions in rows: the first example's code, and that dimension moved."""
        values = np.linspace(-3, 3, 9)
        rows = self._active[:8]
        code = encode(self._encoder_net, np.frombuffer(self._examples, np.uint8, 784) / 255)[0]
        points = np.tile(code, (len(rows), len(values), 1))
        for row, dim in enumerate(rows):
            points[row, :, dim] = values
        digits = decode(self._decoder_net, points.reshape(-1, self.latent_dim))
        names = [f"z[{dim}], {nats:.2f} nats" for dim, nats in zip(rows, self._kl)]
        digits = digits.reshape(len(rows), len(values), 28, 28)
        return digit_table(digits, names, [f"{value:g}" for value in values])


def _by_kl(kl: np.ndarray, active) -> list[int]:
    """The dimensions with a slider, largest KL first."""
    chosen = np.flatnonzero(kl > ACTIVE_KL) if active is None else np.asarray(active)
    if chosen.ndim != 1 or not len(chosen):
        raise ValueError("no dimension is active: pass the ones to show as active")
    if chosen.dtype.kind not in "iu" or not ((chosen >= 0) & (chosen < len(kl))).all():
        raise ValueError(f"active must hold whole numbers from 0 to {len(kl) - 1}")
    if len(set(chosen.tolist())) < len(chosen):
        raise ValueError("active names a dimension twice")
    return sorted((int(k) for k in chosen), key=lambda k: -kl[k])
