"""A GAN on points of the plane, trained in the page: to watch, to step, and to break."""

from __future__ import annotations

import functools
import math

import traitlets as t

from utils import plots

from .base import CourseWidget, Number

DATA = ("ring", "moons", "blob", "drawn")
STEPS_D = (1, 2, 5, 10)
PENALTIES = (0.0, 0.01, 0.1, 1.0, 10.0)
LOSSES = ("non-saturating", "saturating")
HALF = 1.5  # the picture shows -1.5 to 1.5, both ways


class GanGame(CourseWidget, front="gan_game.js"):
    """Watch a GAN learn points of the plane, step it, and break it.

    data
        ``ring`` (eight spots), ``moons`` (two arcs), ``blob`` (one spot), or ``drawn``: ``points``.
    points
        The data that the reader draws: x and y of one point after the other, from -1.5 to 1.5.
    steps_d, rate, ratio, r1, loss
        The settings at first: steps of the discriminator per step of the generator, one of
        ``STEPS_D``; the generator's learning rate, and the discriminator's over it; the weight of
        the R1 penalty, one of ``PENALTIES``; the generator's loss, one of ``LOSSES``.
    presets
        Settings with a name and a reason: ``{"name": ..., "why": ..., "rate": ...}``; what a preset
        does not name is as at first.

    With a kernel, the settings and ``widget.points`` follow the page and can be set; the networks
    themselves live in the page.
    """

    data = t.Enum(DATA, "ring").tag(sync=True)
    points = t.List(t.Float(min=-HALF, max=HALF)).tag(sync=True)
    steps_d = t.Enum(STEPS_D, 1).tag(sync=True)
    rate = Number(2e-3, min=1e-4, max=0.1).tag(sync=True)
    ratio = Number(1.0, min=0.01, max=10).tag(sync=True)
    r1 = t.Enum(PENALTIES, 0.1).tag(sync=True)
    loss = t.Enum(LOSSES, "non-saturating").tag(sync=True)
    _options = t.Dict().tag(sync=True)
    alt = (
        "A generator and a discriminator play in the plane. The picture shows real points in blue "
        "and generated ones in orange before and after one training, on a ground that is blue "
        "where the discriminator says real."
    )

    def __init__(self, *, presets=(), alt: str | None = None, **settings):
        names = ("data", "steps_d", "rate", "ratio", "r1", "loss")
        for preset in presets:
            unknown = set(preset) - {"name", "why", *names}
            if unknown or not {"name", "why"} <= set(preset):
                raise ValueError(f"a preset has a name, a why and settings, not {sorted(preset)}")
        super().__init__(alt=alt, **settings)
        start = {name: getattr(self, name) for name in names}
        self._options = {"presets": [dict(p) for p in presets], "start": start}

    @t.validate("points")
    def _pairs(self, proposal):
        if len(proposal["value"]) % 2:
            raise t.TraitError("points must be pairs of numbers, x and y")
        return proposal["value"]

    def poster(self) -> bytes:
        """The ring before and after 1,000 steps of such a game, without a penalty: PNG."""
        fig, axes = plots.figure(1, 2, width=7, height=3.5)
        for ax, (steps, real, made, sure) in zip(axes, _played()):
            extent = (-HALF, HALF, -HALF, HALF)
            style = {"extent": extent, "cmap": "PuOr", "vmin": -0.2, "vmax": 1.2}
            ax.imshow(sure, interpolation="bilinear", **style)
            ax.scatter(*real.T, s=9, color=plots.BLUE)
            ax.scatter(*made.T, s=12, color=plots.ORANGE, marker="D", ec="black", lw=0.3)
            ax.set(title=f"after {steps:,} steps", xticks=[], yticks=[], xlim=(-HALF, HALF))
            ax.set_ylim(-HALF, HALF)
        return fig.png()


@functools.cache
def _played(steps: int = 1000) -> list:
    """Before and after a game: (steps, real points, generated points, probability of "real")."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)

        def net(outputs, activation):
            layers = [nn.Linear(2, 32), activation, nn.Linear(32, 32), activation]
            return nn.Sequential(*layers, nn.Linear(32, outputs))

        def real(count):
            angles = torch.randint(8, (count,)) * math.pi / 4
            return torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(count, 2)

        G, D = net(2, nn.ReLU()), net(1, nn.LeakyReLU(0.2))
        step_g, step_d = (torch.optim.Adam(m.parameters(), 3e-3, (0.5, 0.99)) for m in (G, D))
        line = torch.linspace(-HALF, HALF, 40)
        grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), 2).flip(0)
        signs = torch.ones(128, 1).index_fill(0, torch.arange(64), -1)  # real points go up
        noise, shown, stages = torch.randn(250, 2), real(250), []
        for step in range(steps + 1):
            if step in (0, steps):
                with torch.no_grad():
                    sure = D(grid)[..., 0].sigmoid().numpy()
                    stages.append((step, shown.numpy(), G(noise).numpy(), sure))
            both = torch.cat([real(64), G(torch.randn(64, 2)).detach()])
            loss = 2 * F.softplus(D(both) * signs).mean()
            step_d.zero_grad()
            loss.backward()
            step_d.step()
            loss = F.softplus(-D(G(torch.randn(64, 2)))).mean()
            step_g.zero_grad()
            loss.backward()
            step_g.step()
    return stages
