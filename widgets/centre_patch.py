"""The λ slider: one generator, told λ, completes a digit around its middle."""

from __future__ import annotations

import numpy as np
import traitlets as t

from .base import CourseWidget, within
from .latent import frozen
from .pack import Net, pack
from .pictures import DigitImage, Examples, as_bytes, as_examples
from .posters import digit_table

PATCH, SAMPLES = 100, 6
CENTRE = slice(9, 19)  # rows and columns of the patch


class CentrePatch(Examples, CourseWidget, front="centre_patch.js"):
    """Give the middle of a digit and λ, and see six completions.

    generator
        A net with a condition (see `pack`) from (N, 100 + latent_dim), the patch row by row and
        then noise, to the logits of 784 pixels. The condition, (N, 1), is log10(λ).
    shortcut
        A net with the same condition from the patch, (N, 100), to 100 numbers, which are added to
        the logits of the patch's pixels. The widget keeps copies of both.
    classifier
        An `nn.Sequential` from (N, 784) pixels to ten logits, which reads the completions.
    examples, example_labels
        Test digits to take the patch from, (N, 28, 28) or (N, 784), uint8 or in [0, 1].
    curve
        At least two rows (λ, centre error, Fréchet distance, variance outside the patch) of this
        generator, measured on the test set, λ rising. λ runs from the first to the last; in
        between, the figures are interpolated, linearly in log(λ).
    rival
        None, or (generator, shortcut, curve) of a second generator, to compare: it is told log10(λ)
        as one more input, between patch and noise, so its nets have no condition and take one
        value more. `widget.rival` says whether it is the one that completes.
    presets
        Settings with a name and a reason: ``{"name": ..., "why": ...}``, with any of ``example``
        (the index of one), ``log_lambda`` and ``rival``; what is not named is as at first.
    log_lambda
        log10(λ) at the start, within the curve.
    seed
        Of the noise at the start.
    dtype
        How weights travel to the page, see `pack`: 'i5', so that two generators fit into it; those
        of the rival, which is only compared with, then travel as 'i4', and both shortcuts as 'i8'.

    With a kernel, `widget.image` (28, 28), whose middle is given, `widget.log_lambda` and
    `widget.rival` follow the page and can be set.
    """

    _generator = Net()
    _shortcut = Net()
    _classifier = Net()
    _rival_generator = Net()
    _rival_shortcut = Net()
    _curve = t.List(t.List(t.Float())).tag(sync=True)
    _rival_curve = t.List(t.List(t.Float())).tag(sync=True)
    _presets = t.List(t.Dict()).tag(sync=True)
    _z = t.Bytes().tag(sync=True)
    image = DigitImage()
    log_lambda = t.Float(0.0).tag(sync=True)
    rival = t.Bool(False).tag(sync=True)
    alt = (
        "A slider for λ, the middle of a digit, and six completions. The picture shows one row per "
        "λ, from small to large: the given middle, then completions."
    )

    def __init__(
        self,
        generator,
        shortcut,
        classifier,
        examples,
        example_labels,
        curve,
        *,
        rival=None,
        presets=(),
        log_lambda: float = 0.0,
        seed: int = 0,
        dtype: str = "i5",
        alt: str | None = None,
    ):
        first = next(generator.parameters()).shape[1]
        if first <= PATCH:
            raise ValueError(f"the generator takes {first} values: 100 of the patch, then noise")
        rows = _as_curve(curve)
        pictures = as_bytes(examples, "examples")
        _check_presets(presets, len(pictures), rows, rival)
        self._nets = [(frozen(generator), frozen(shortcut))]
        finer = "i8" if dtype == "i5" else dtype  # of the shortcuts, which are small
        second = {}
        if rival is not None:
            from torch import nn

            self._nets.append((frozen(rival[0]), frozen(rival[1])))
            nets = [nn.Sequential(*net) for net in rival[:2]]  # they hear of no condition
            told = PATCH + 1
            coarser = "i4" if dtype == "i5" else dtype
            second = {
                "_rival_generator": pack(
                    nets[0], (first + 1,), coarser, name="rival", outputs=784, logits=True
                ),
                "_rival_shortcut": pack(
                    nets[1], (told,), finer, name="rival's shortcut", outputs=PATCH
                ),
                "_rival_curve": _as_curve(rival[2]).tolist(),
            }
        self.latent_dim = first - PATCH
        z = np.random.default_rng(seed).standard_normal((SAMPLES, self.latent_dim))
        super().__init__(
            _generator=pack(
                generator, (first,), dtype, name="generator", outputs=784, logits=True, condition=1
            ),
            _shortcut=pack(shortcut, (PATCH,), finer, name="shortcut", outputs=PATCH, condition=1),
            _classifier=pack(classifier, (784,), dtype, name="classifier", outputs=10, logits=True),
            **as_examples(pictures, example_labels),
            **second,
            _curve=rows.tolist(),
            _presets=[dict(preset) for preset in presets],
            _z=z.astype("<f4").tobytes(),
            image=pictures[0],
            log_lambda=float(min(max(log_lambda, rows[0, 0]), rows[-1, 0])),
            alt=alt,
        )

    @t.validate("log_lambda")
    def _check_lambda(self, proposal):
        return within(proposal, self._curve[0][0], self._curve[-1][0])

    @t.validate("rival")
    def _check_rival(self, proposal):
        if proposal["value"] and not self._rival_curve:
            raise t.TraitError("there is no rival")
        return proposal["value"]

    @property
    def z(self) -> np.ndarray:
        """The noise at the start: float32 (6, latent_dim)."""
        return np.frombuffer(self._z, "<f4").reshape(SAMPLES, -1)

    def complete(self, image, z, log_lambda: float) -> np.ndarray:
        """Completions (N, 28, 28) of the middle of an image (28, 28), for noise (N, latent_dim)."""
        import torch

        patch = np.repeat(np.asarray(image, "f4")[CENTRE, CENTRE].reshape(1, -1), len(z), axis=0)
        given, noise = torch.from_numpy(patch), torch.from_numpy(np.array(z, "f4"))
        condition = torch.full((len(z), 1), float(log_lambda))
        net, shortcut = self._nets[self.rival]
        if self.rival:  # told by one more input
            given = torch.cat([given, condition], 1)
        with torch.inference_mode():
            logits = net(torch.cat([given, noise], 1), condition).reshape(-1, 28, 28).clone()
            direct = shortcut(given, condition)
            logits[:, CENTRE, CENTRE] += direct.reshape(-1, 10, 10)
        return logits.sigmoid().numpy()

    def poster(self) -> bytes:
        """Five values of λ in rows: the given middle, then the six completions."""
        given = np.zeros((28, 28))
        given[CENTRE, CENTRE] = self.image[CENTRE, CENTRE]
        values = np.linspace(self._curve[0][0], self._curve[-1][0], 5)
        rows = [[given, *self.complete(self.image, self.z, value)] for value in values]
        digits = {"precision": 2, "fractional": False, "trim": "-"}
        names = [f"λ = {np.format_float_positional(10**value, **digits)}" for value in values]
        return digit_table(rows, names)


def _as_curve(curve) -> np.ndarray:
    """Rows of (log10(λ), centre error, Fréchet distance, variance), checked."""
    rows = np.array(curve, dtype=float)
    if rows.ndim != 2 or rows.shape[1] != 4 or len(rows) < 2 or not np.isfinite(rows).all():
        raise ValueError("curve must have two rows or more of (λ, error, distance, variance)")
    if rows[0, 0] <= 0 or (np.diff(rows[:, 0]) <= 0).any():
        raise ValueError("λ must be positive and rise from row to row")
    rows[:, 0] = np.log10(rows[:, 0])
    return rows


def _check_presets(presets, examples: int, rows: np.ndarray, rival) -> None:
    for preset in presets:
        unknown = set(preset) - {"name", "why", "example", "log_lambda", "rival"}
        if unknown or not {"name", "why"} <= set(preset):
            raise ValueError(f"a preset has a name, a why and settings, not {sorted(preset)}")
        if not 0 <= preset.get("example", 0) < examples:
            raise ValueError(f"there are {examples} examples, but a preset takes {preset}")
        if not rows[0, 0] <= preset.get("log_lambda", rows[0, 0]) <= rows[-1, 0]:
            raise ValueError(f"λ is outside the curve in the preset {preset}")
        if preset.get("rival") and rival is None:
            raise ValueError(f"there is no rival for the preset {preset}")
