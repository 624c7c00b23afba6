"""Move beta along the rate-distortion curve of one beta-conditioned variational autoencoder."""

from __future__ import annotations

import math

import numpy as np
import traitlets as t

from .base import CourseWidget, within
from .latent import PIXELS, decode, frozen
from .pack import Net, pack
from .pictures import Examples, as_bytes, as_examples
from .posters import digit_table

MOST_EXAMPLES = 12


class BetaDial(Examples, CourseWidget, front="beta_dial.js"):
    """One slider for beta: reconstructions, prior samples, and the place on the curve follow.

    encoder, decoder
        Nets with a condition (see `pack`): the encoder from (N, 784) pixels in [0, 1] to
        2 * latent_dim numbers, mu and then logvar, the decoder from (N, latent_dim) to 784 logits.
        The condition of both is (N, 1): log10(beta). The widget keeps copies.
    examples, example_labels
        One to twelve test digits, (N, 28, 28) or (N, 784), uint8 or in [0, 1].
    curve
        At least two rows (beta, rate, distortion) of this model, measured on the test set: the rate
        is the mean KL divergence from the prior, the distortion the mean reconstruction error, both
        in nats per image. Beta runs from the smallest to the largest of them. In between, rate and
        distortion are interpolated, linearly in log(beta).
    dedicated
        Such rows of models trained for one beta each, drawn for comparison; may be left out.
    seed
        Of the latent codes `z` that the prior samples are decoded from.
    dtype
        How the weights travel, see `pack`.

    With a kernel, `widget.beta` can be read and set. `curve` and `dedicated` are arrays (rows, 3),
    `z` is (N, latent_dim), as many codes as examples. `rates` (N,) in nats, `reconstructions` and
    `samples` (N, 28, 28) are computed by the models at this beta, and the page computes the same
    from the packed weights. Reconstructions decode the posterior mean.
    """

    _encoder = Net()
    _decoder = Net()
    _curve = t.List(t.List(t.Float())).tag(sync=True)
    _dedicated = t.List(t.List(t.Float())).tag(sync=True)
    _z = t.Bytes().tag(sync=True, from_json=lambda value, widget: bytes(value))
    beta = t.Float(1.0).tag(sync=True)
    alt = (
        "A slider for beta moves one variational autoencoder along its rate-distortion curve. "
        "The picture shows reconstructions and prior samples at several values of beta."
    )

    def __init__(
        self,
        encoder,
        decoder,
        examples,
        example_labels,
        curve,
        *,
        dedicated=None,
        seed: int = 0,
        dtype: str = "i8",
        alt: str | None = None,
    ):
        packed_encoder = pack(encoder, (PIXELS,), dtype, name="encoder", condition=1)
        latent_dim, odd = divmod(packed_encoder["spec"]["output"], 2)
        if odd:
            raise ValueError("the encoder must give as many log-variances as means")
        packed_decoder = pack(
            decoder, (latent_dim,), dtype, name="decoder", outputs=PIXELS, logits=True, condition=1
        )
        self._pictures = as_bytes(examples, "examples")
        if len(self._pictures) > MOST_EXAMPLES:
            raise ValueError(
                f"examples has {len(self._pictures)} pictures, at most {MOST_EXAMPLES}"
            )
        self._encoder_net, self._decoder_net = frozen(encoder), frozen(decoder)
        rows = _rows(curve, "curve", least=2)
        z = np.random.default_rng(seed).standard_normal((len(self._pictures), latent_dim))
        low, high = rows[0][0], rows[-1][0]
        super().__init__(
            _encoder=packed_encoder,
            _decoder=packed_decoder,
            **as_examples(self._pictures, example_labels),
            _curve=rows,
            _dedicated=[] if dedicated is None else _rows(dedicated, "dedicated", least=1),
            _z=z.astype("<f4").tobytes(),
            beta=1.0 if low <= 1 <= high else math.sqrt(low * high),
            alt=alt,
        )

    @property
    def curve(self) -> np.ndarray:
        return np.array(self._curve)

    @property
    def dedicated(self) -> np.ndarray:
        return np.array(self._dedicated).reshape(-1, 3)

    @property
    def z(self) -> np.ndarray:
        return np.frombuffer(self._z, "<f4").reshape(len(self._pictures), -1)

    @property
    def rates(self) -> np.ndarray:
        """The examples' KL divergences from the prior at this beta, in nats."""
        return self._reconstruct(self.beta)[0]

    @property
    def reconstructions(self) -> np.ndarray:
        return self._reconstruct(self.beta)[1]

    @property
    def samples(self) -> np.ndarray:
        return self._decode(self.z, self.beta)

    def rate_distortion(self, beta: float) -> tuple[float, float]:
        """Rate and distortion on the test set in nats, interpolated linearly in log(beta)."""
        betas, rates, distortions = self.curve.T
        at = math.log(beta), np.log(betas)
        return float(np.interp(*at, rates)), float(np.interp(*at, distortions))

    @t.validate("beta")
    def _check_beta(self, proposal):
        return within(proposal, self._curve[0][0], self._curve[-1][0])  # where it was measured

    @t.validate("_z")
    def _check_z(self, proposal):
        count = len(self._pictures) * self._decoder["spec"]["input"]
        if len(proposal["value"]) != 4 * count:
            raise t.TraitError(f"_z must hold {count} numbers")
        return proposal["value"]

    def _reconstruct(self, beta: float) -> tuple[np.ndarray, np.ndarray]:
        import torch

        pixels = torch.from_numpy(self._pictures.reshape(-1, PIXELS) / np.float32(255))
        with torch.inference_mode():
            code = self._encoder_net(pixels, torch.full((len(pixels), 1), math.log10(beta)))
        mu, logvar = code.double().numpy().reshape(len(pixels), 2, -1).swapaxes(0, 1)
        rates = 0.5 * (np.exp(logvar) + mu**2 - 1 - logvar).sum(axis=1)
        return rates, self._decode(mu, beta)

    def _decode(self, z: np.ndarray, beta: float) -> np.ndarray:
        return decode(self._decoder_net, z, math.log10(beta))

    def poster(self) -> bytes:
        """Reconstructions and samples at up to five of the measured betas."""
        chosen = np.linspace(0, len(self._curve) - 1, min(5, len(self._curve))).round().astype(int)
        count = min(6, len(self._pictures))
        names, empty = ["test digits"], np.full((1, 28, 28), np.nan)
        rows = [[*self._pictures[:count] / 255, *empty, *np.repeat(empty, count, axis=0)]]
        for beta, rate, _ in self.curve[chosen]:
            names.append(f"beta {beta:.2g}, rate {rate:.0f} nats")
            samples = self._decode(self.z[:count], beta)
            rows.append([*self._reconstruct(beta)[1][:count], *empty, *samples])
        columns = [""] * (2 * count + 1)
        columns[count // 2], columns[-1 - count // 2] = "reconstructions", "samples"
        return digit_table(rows, names, columns)


def _rows(table, name: str, least: int) -> list[list[float]]:
    """Rows (beta, rate, distortion), sorted by beta."""
    rows = np.asarray(table, dtype=float)
    if rows.ndim != 2 or rows.shape[1] != 3 or len(rows) < least:
        raise ValueError(
            f"{name} has shape {rows.shape}, but must hold at least {least} rows "
            "(beta, rate, distortion)"
        )
    if not np.isfinite(rows).all() or rows[:, 0].min() <= 0 or rows[:, 1:].min() < 0:
        raise ValueError(f"{name} must hold finite numbers, beta above 0, the others not below")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    if least > 1 and (np.diff(rows[:, 0]) == 0).any():
        raise ValueError(f"{name} has one beta twice")
    return rows.tolist()
