"""Train a network on real digits in the page: softmax regression, or one hidden layer."""

from __future__ import annotations

import numpy as np
import traitlets as t

from utils import plots

from .base import Number
from .pictures import DigitImage, Examples, as_bytes, as_examples
from .training_digits import TrainsInPage, unpacked_digits

ACTIVATIONS = ("relu", "tanh", "sigmoid")
OPTIMIZERS = ("sgd", "momentum")
FAULTS = ("none", "sum", "half", "bias", "slope", "sign")
HIDDEN, BATCHES = (0, 8, 16, 32, 64), (1, 8, 32, 128)


class TrainDigits(Examples, TrainsInPage, front="train_digits.js"):
    """A network, 4,000 digits to train it on and 1,000 held out, in the reader's browser.

    examples, example_labels
        Test digits to read, (N, 28, 28) or (N, 784), uint8 or in [0, 1].
    hidden, activation, optimizer, rate, batch
        The settings at first: hidden units (0 is softmax regression), one of ``activations``, one
        of ``optimizers``, the learning rate from 0.001 to 10, and digits per step.
    activations, optimizers, faults
        What the reader may choose from, see ``ACTIVATIONS``, ``OPTIMIZERS`` and ``FAULTS``; of a
        single one there is no menu.  A fault is a wrong backward pass.
    presets
        Settings with a name and a reason: ``{"name": ..., "why": ..., "rate": ...}``; what a preset
        does not name is as at first.
    inside
        Also show a unit's weights and gradient, and the size of each layer's gradient.
    scale
        Of the first layer's weights at first, times 1/sqrt(n) (ReLU: sqrt(2/n)).

    With a kernel, the settings, ``widget.unit`` and ``widget.image`` (28, 28) follow the page and
    can be set; the network itself lives in the page.
    """

    hidden = t.Enum(HIDDEN, 32).tag(sync=True)
    activation = t.Enum(ACTIVATIONS, "relu").tag(sync=True)
    optimizer = t.Enum(OPTIMIZERS, "sgd").tag(sync=True)
    rate = Number(0.1, min=0.001, max=10).tag(sync=True)
    batch = t.Enum(BATCHES, 32).tag(sync=True)
    fault = t.Enum(FAULTS, "none").tag(sync=True)
    unit = t.Int(0, min=0, max=63).tag(sync=True)
    image = DigitImage()
    _options = t.Dict().tag(sync=True)
    alt = (
        "Train a network on real digits. The picture shows the loss and the share of held-out "
        "digits read correctly over the steps of one training, and the weights that it found."
    )

    def __init__(
        self,
        examples,
        example_labels,
        *,
        activations=("relu",),
        optimizers=("sgd",),
        faults=("none",),
        presets=(),
        inside: bool = False,
        scale: float = 1.0,
        alt: str | None = None,
        **settings,
    ):
        for name, chosen, known in (
            ("activations", activations, ACTIVATIONS),
            ("optimizers", optimizers, OPTIMIZERS),
            ("faults", faults, FAULTS),
        ):
            if not chosen or not set(chosen) <= set(known):
                raise ValueError(f"{name} must be some of {', '.join(known)}, not {chosen}")
        for preset in presets:
            unknown = set(preset) - {"name", "why", "scale", *self.trait_names(sync=True)}
            if unknown or not {"name", "why"} <= set(preset):
                raise ValueError(f"a preset has a name, a why and settings, not {sorted(preset)}")
        pictures = as_bytes(examples, "examples")
        settings.setdefault("activation", activations[0])
        settings.setdefault("optimizer", optimizers[0])
        super().__init__(
            **as_examples(pictures, example_labels),
            _options={
                "activations": list(activations),
                "optimizers": list(optimizers),
                "faults": list(faults),
                "presets": [dict(p) for p in presets],
                "inside": bool(inside),
                "scale": float(scale),
            },
            image=pictures[0],
            alt=alt,
            **settings,
        )
        names = ("hidden", "activation", "optimizer", "rate", "batch", "fault")
        self._options = self._options | {"start": {name: getattr(self, name) for name in names}}

    def poster(self) -> bytes:
        """The curves and the weights of one such training, made with torch: PNG."""
        import torch
        from torch import nn

        (images, labels), (held_images, held_labels) = unpacked_digits()
        generator = torch.Generator().manual_seed(0)
        act = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[self.activation]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            wide = [nn.Linear(784, self.hidden), act()] if self.hidden else []
            net = nn.Sequential(*wide, nn.Linear(self.hidden or 784, 10))
            nn.init.normal_(net[0].weight, std=self._options["scale"] / 28)
        momentum = 0.9 if self.optimizer == "momentum" else 0.0
        stepper = torch.optim.SGD(net.parameters(), self.rate, momentum=momentum)
        losses, right = [], []
        for _ in range(8):
            for chosen in torch.randperm(len(labels), generator=generator).split(self.batch):
                loss = nn.functional.cross_entropy(net(images[chosen]), labels[chosen])
                stepper.zero_grad()
                loss.backward()
                stepper.step()
                losses.append(loss.item())
            with torch.inference_mode():
                right.append((net(held_images).argmax(1) == held_labels).float().mean().item())
        fig, axes = plots.figure(1, 2, width=7.2, height=2.6)
        axes[0].plot(losses, lw=0.8)
        axes[0].set(title="Loss on each batch (nats)", xlabel="step", ylim=(0, 3))
        weights = net[0].weight.detach().numpy().reshape(-1, 28, 28)[:20]
        plots.mosaic(axes[1], weights, columns=5, limit=float(np.abs(weights).max()) * 0.7)
        axes[1].set_title(f"The weights; {right[-1]:.0%} of held-out digits")
        return fig.png()
