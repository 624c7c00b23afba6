"""Denoise's Python side, and recorded noise: what travels, hostile input, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import traitlets as t
from PIL import Image
from torch import nn

from widgets import Denoise
from widgets.denoise import mu_law

SAMPLES = 1024


def net(bins=33):
    return nn.Sequential(nn.Conv1d(66, bins, 1), nn.Sigmoid())


def widget(**changes):
    voice = np.sin(np.arange(SAMPLES)) / 2
    arguments = {"net": net(), "clips": [voice, voice], "names": ["a", "b"], "babble": voice}
    arguments |= {"window": 64, "hop": 32} | changes
    return Denoise(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": [], "names": []}, "1 to 6 clips"),
        ({"names": ["a"]}, "a name for each"),
        ({"babble": np.zeros(3)}, "of one length"),
        ({"clips": [np.zeros((2, SAMPLES))] * 2}, "of one length"),
        ({"clips": [np.full(SAMPLES, np.nan)] * 2}, "finite"),
        ({"clips": [np.full(SAMPLES, 1.5)] * 2}, "within"),
        ({"window": 48}, "power of two"),
        ({"hop": 0}, "hop"),
        ({"net": net(20)}, "must give"),
    ],
)
def test_what_does_not_fit_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        widget(**changes)


def test_traits_are_checked():
    one = widget()
    for name, value in (("clip", 2), ("snr", 90), ("noise", "rain")):
        with pytest.raises(t.TraitError):
            setattr(one, name, value)


def test_static_picture():
    assert widget().poster() is None
    rng = np.random.default_rng(0)
    one = widget(pictures={name: rng.random((33, 33)) for name in ("noisy", "clean")})
    assert min(Image.open(io.BytesIO(one.poster())).size) > 250
    assert widget(pictures={"silence": np.zeros((33, 33))}).poster()


def test_mu_law_is_right_to_one_level():
    x = np.linspace(-1, 1, 1001)
    value = (mu_law(x).astype(float) - 127) / 127
    back = np.sign(value) * (256 ** np.abs(value) - 1) / 255
    assert abs(back - x).max() < 0.025 and abs(back[500]) == 0
