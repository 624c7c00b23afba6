"""CentrePatch's Python side: what travels, what does not fit, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image
from torch import nn

from tests.nets import Conditional, FiLM
from widgets import CentrePatch

DIM = 5
CURVE = [(0.01, 0.3, 2.0, 0.05), (1, 0.05, 1.0, 0.04), (100, 0.01, 1.5, 0.03)]


def generator(inputs=100 + DIM, outputs=784, last=nn.Identity):
    torch.manual_seed(0)
    return Conditional(
        nn.Linear(inputs, 20), FiLM(20, nn.Linear(1, 40)), nn.ReLU(), nn.Linear(20, outputs), last()
    )


def shortcut(outputs=100):
    torch.manual_seed(2)
    return Conditional(nn.Linear(100, outputs), FiLM(outputs, nn.Linear(1, 2 * outputs)))


def rival():
    """Told by one more input: two nets without a condition, and a curve."""
    torch.manual_seed(3)
    inner = nn.Linear(101 + DIM, 20), nn.ReLU(), nn.Linear(20, 784)
    return Conditional(*inner), Conditional(nn.Linear(101, 100)), CURVE


PRESETS = [
    {"name": "One", "why": "An example.", "example": 1, "log_lambda": 1.0},
    {"name": "Rival", "why": "The other one.", "rival": True},
]


def classifier(outputs=10):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(784, outputs))


def digits(count=3):
    rng = np.random.default_rng(0)
    return rng.random((count, 28, 28)), np.arange(count)


def widget(**changes):
    examples, labels = digits()
    arguments = {"generator": generator(), "shortcut": shortcut(), "classifier": classifier()}
    arguments |= {"examples": examples, "example_labels": labels, "curve": CURVE} | changes
    return CentrePatch(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": generator(100)}, "then noise"),
        ({"generator": generator(outputs=783)}, "must give 784"),
        ({"generator": generator(last=nn.Sigmoid)}, "without a sigmoid"),
        ({"generator": nn.Sequential(nn.Linear(105, 784))}, "FiLM"),
        ({"shortcut": nn.Sequential(nn.Linear(100, 100))}, "FiLM"),
        ({"shortcut": shortcut(99)}, "must give 100"),
        ({"classifier": classifier(9)}, "must give 10"),
        ({"curve": CURVE[:1]}, "two rows"),
        ({"curve": [row[:3] for row in CURVE]}, "two rows"),
        ({"curve": CURVE[::-1]}, "rise"),
        ({"curve": [(0, 1, 1, 1), (1, 1, 1, 1)]}, "positive"),
        ({"curve": [(1, np.nan, 1, 1), (2, 1, 1, 1)]}, "two rows"),
        ({"example_labels": [1]}, "3 pictures"),
        ({"rival": (generator(), shortcut(), CURVE)}, "takes 105 values, but 106"),
        ({"rival": (*rival()[:2], CURVE[::-1])}, "rise"),
        ({"presets": [{"name": "no why"}]}, "a why"),
        ({"presets": [PRESETS[0] | {"example": 3}]}, "3 examples"),
        ({"presets": [PRESETS[0] | {"log_lambda": 3}]}, "outside the curve"),
        ({"presets": PRESETS}, "no rival"),
    ],
)
def test_what_does_not_fit_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        widget(**changes)


def test_traits_are_checked():
    one = widget()
    assert one.log_lambda == 0
    wrong = ("log_lambda", 2.1), ("log_lambda", np.nan), ("image", np.zeros(3)), ("rival", True)
    for name, value in wrong:
        with pytest.raises(t.TraitError):
            setattr(one, name, value)


def test_it_completes_what_the_generator_gives():
    one, image = widget(), digits()[0][1]
    made = one.complete(image, one.z, 0.5)
    patch = np.repeat(image[9:19, 9:19].reshape(1, 100), 6, axis=0)
    with torch.no_grad():
        both = torch.tensor(np.concatenate([patch, one.z], 1), dtype=torch.float32)
        condition = torch.full((6, 1), 0.5)
        logits = generator()(both, condition).view(-1, 28, 28)
        inside = shortcut()(both[:, :100], condition).view(-1, 10, 10)
        expected = (logits + nn.functional.pad(inside, (9, 9, 9, 9))).sigmoid().numpy()
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_the_rival_is_told_by_one_more_input():
    one, image = widget(rival=rival(), presets=PRESETS), digits()[0][1]
    one.rival = True
    made = one.complete(image, one.z, 0.5)
    told = np.append(image[9:19, 9:19].reshape(100), 0.5)
    given = torch.tensor(np.repeat(told[None], 6, axis=0), dtype=torch.float32)
    net, direct, _ = rival()
    with torch.no_grad():
        logits = net(torch.cat([given, torch.tensor(one.z)], 1), None).view(-1, 28, 28)
        inside = direct(given, None).view(-1, 10, 10)
        expected = (logits + nn.functional.pad(inside, (9, 9, 9, 9))).sigmoid().numpy()
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_static_picture():
    picture = Image.open(io.BytesIO(widget().poster()))
    assert 900 <= picture.width <= 1300 and picture.height > 500
