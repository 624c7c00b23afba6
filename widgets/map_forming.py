"""An autoencoder with two latent numbers, plain or variational, trained in the reader's page."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .latent import LatentPoint
from .training_digits import TrainsInPage, unpacked_digits

BETAS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class MapForming(TrainsInPage, front="map_forming.js"):
    """A map of held-out digits while an autoencoder learns it, and what the decoder draws on it.

    beta
        The weight of the rate at first, one of ``BETAS``.
    noise
        Whether codes are drawn from q(z | x), as in a variational autoencoder.  Without noise a
        code is the mean, and there is no rate: a plain autoencoder.
    presets
        Settings with a name and a reason: ``{"name": ..., "why": ..., "beta": ..., "noise": ...}``.
    goal
        Nats; the page says when the held-out digits' negative ELBO is no higher.  None: no goal.

    With a kernel, ``beta``, ``noise`` and the reader's point ``z`` (2,) follow the page and can be
    set; ``measured`` holds, where a training rests, its steps and the held-out digits' distortion
    and rate in nats (empty before).  The network itself lives in the page.
    """

    latent_dim = 2
    beta = t.Enum(BETAS, 1.0).tag(sync=True)
    noise = t.Bool(True).tag(sync=True)
    z = LatentPoint()
    measured = t.List(t.Float()).tag(sync=True)
    _options = t.Dict().tag(sync=True)
    _colours = t.List(t.Unicode(), plots.DIGITS).tag(sync=True)
    alt = (
        "Train an autoencoder with two latent numbers in the page. The picture shows the codes of "
        "held-out digits and ten samples, left of a plain one, right of a variational one."
    )

    def __init__(self, *, presets=(), goal: float | None = None, alt=None, **settings):
        for preset in presets:
            if set(preset) != {"name", "why", "beta", "noise"} or preset["beta"] not in BETAS:
                raise ValueError(
                    f"a preset has a name, a why, noise and a beta of {BETAS}, not {preset}"
                )
        if goal is not None and not 0 < goal < np.inf:
            raise ValueError(f"goal is {goal!r}, but must be a positive number of nats")
        options = {"presets": [dict(p) for p in presets], "goal": goal}
        super().__init__(_options=options, z=np.zeros(2), alt=alt, **settings)

    def poster(self) -> bytes:
        """The codes and ten samples of two such trainings, made with torch: PNG."""
        fig, axes = plots.figure(2, 2, width=7.2, height=4.2, height_ratios=[5, 1])
        for (above, below), noise, name in zip(
            axes.T, (False, True), ("plain autoencoder", "variational, β = 1")
        ):
            codes, labels, samples = _trained(noise)
            reach = float(np.quantile(np.abs(codes).max(axis=1), 0.98))
            for digit, colour in enumerate(plots.DIGITS):
                chosen = codes[labels == digit]
                above.scatter(*chosen.T, s=16, color=colour, marker=f"${digit}$", linewidths=0)
            limits = (-reach, reach)
            above.set(xlim=limits, ylim=limits, aspect="equal", facecolor=plots.DARK, title=name)
            above.grid(False)
            plots.mosaic(below, samples)
            below.set_title("ten samples from the prior")
        return fig.png()


def _trained(noise: bool, passes: int = 8):
    """Codes (N, 2) and labels of the held-out digits, and ten samples (10, 28, 28)."""
    import torch
    from torch import nn

    (images, _), (held, labels) = unpacked_digits()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        encoder = nn.Sequential(
            nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4)
        )
        decoder = nn.Sequential(
            nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 784)
        )
        nn.init.constant_(decoder[-1].bias, -1.5)
        parameters = [*encoder.parameters(), *decoder.parameters()]
        stepper = torch.optim.Adam(parameters, 0.005, fused=True)
        for _ in range(passes):
            for chosen in torch.randperm(len(images)).split(64):
                x = images[chosen]
                mu, logvar = encoder(x).chunk(2, dim=1)
                z = mu + noise * (logvar / 2).exp() * torch.randn_like(mu)
                loss = nn.functional.binary_cross_entropy_with_logits(
                    decoder(z), x, reduction="sum"
                )
                loss = loss + noise * 0.5 * (mu.square() + logvar.exp() - logvar - 1).sum()
                stepper.zero_grad()
                (loss / len(x)).backward()
                stepper.step()
        with torch.inference_mode():
            codes = encoder(held)[:, :2].numpy()
            samples = decoder(torch.randn(10, 2)).sigmoid().reshape(-1, 28, 28).numpy()
    return codes, labels.numpy(), samples
