"""What the two widgets of the latent space share: the trait `z`, encoding, decoding."""

from __future__ import annotations

import copy

import numpy as np
import traitlets as t

from .pictures import SIDE

PIXELS = SIDE * SIDE


class LatentPoint(t.TraitType):
    """A point of the latent space, float32 (`obj.latent_dim`,), read-only; travels as a list."""

    info_text = "one finite number per latent dimension"

    def __init__(self):
        super().__init__()
        self.tag(sync=True, to_json=self.to_json, from_json=self.from_json)

    def validate(self, obj, value):
        try:
            point = np.asarray(value, dtype="f4").copy()
        except (TypeError, ValueError):
            point = np.array(np.nan)
        if point.shape != (obj.latent_dim,) or not np.isfinite(point).all():
            raise t.TraitError(f"{self.name} must hold {obj.latent_dim} finite numbers")
        point.flags.writeable = False
        return point

    @staticmethod
    def to_json(value, widget) -> list[float]:
        return [float(v) for v in value]

    @staticmethod
    def from_json(value, widget) -> list[float]:
        return value


def frozen(net):
    """A copy in eval mode on the CPU, which later training does not touch."""
    return copy.deepcopy(net).cpu().eval()


def decode(decoder, z, *told: float) -> np.ndarray:
    """Bernoulli means p(x = 1 | z), float32 (N, 28, 28) in [0, 1], for z of shape (N, dim).

    told: the condition of a decoder that takes one number.
    """
    import torch

    z = torch.from_numpy(np.array(z, dtype="f4"))
    with torch.inference_mode():
        logits = decoder(z, *(torch.full((len(z), 1), float(value)) for value in told))
        return torch.sigmoid(logits.float()).reshape(-1, SIDE, SIDE).numpy()


def encode(encoder, images) -> np.ndarray:
    """Posterior means, float32 (N, dim), of images (N, 28, 28) in [0, 1]; the first half of what
    the encoder gives, the other being log-variances."""
    import torch

    with torch.inference_mode():
        output = encoder(torch.from_numpy(np.array(images, dtype="f4").reshape(-1, PIXELS)))
        return output.float().chunk(2, dim=1)[0].numpy()
