"""ConditionalDigits' Python side: what travels, what does not fit, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image
from torch import nn

from widgets import ConditionalDigits

DIM = 6


def generator(outputs=784, last=nn.Sigmoid):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(DIM + 10, outputs), last())


def widget(**changes):
    arguments = {"generator": generator(), "directions": np.eye(DIM)[:3], "z": np.ones(DIM)}
    return ConditionalDigits(**(arguments | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": generator(783)}, "gives 783 numbers, but must give 784"),
        ({"generator": generator(last=nn.ReLU)}, "end in a sigmoid"),
        ({"z": np.ones(5)}, "takes 15 values|takes 16 values"),
        ({"directions": np.eye(DIM)[:0]}, "directions must be"),
        ({"directions": np.eye(DIM + 1)[:2]}, "directions must be"),
        ({"directions": np.vstack([np.eye(DIM)] * 2)}, "directions must be"),
        ({"directions": 2 * np.eye(DIM)}, "length 1"),
        ({"directions": np.full((1, DIM), np.nan)}, "length 1"),
    ],
)
def test_what_does_not_fit_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        widget(**changes)


def test_traits_are_checked():
    one = widget()
    wrong = {"label": 10, "other": -1, "mixture": 1.1, "truncation": 2, "z": np.ones(3)}
    for name, value in wrong.items():
        with pytest.raises(t.TraitError):
            setattr(one, name, value)


def test_it_generates_what_the_generator_gives():
    net, z = generator(), np.random.default_rng(0).normal(size=(2, DIM))
    labels = np.eye(10)[[3, 7]]
    made = widget(label_scale=4.0).generate(z, labels)
    with torch.no_grad():
        both = torch.tensor(np.concatenate([z, 4 * labels], 1), dtype=torch.float32)
        expected = net(both).view(-1, 28, 28).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_later_training_does_not_touch_it():
    net = generator()
    one = widget(generator=net)
    before = one.poster()
    nn.init.zeros_(net[0].weight)
    assert one.poster() == before


def test_static_picture():
    picture = Image.open(io.BytesIO(widget().poster()))
    assert 900 <= picture.width <= 1300 and 2.5 < picture.width / picture.height < 3.5
