"""CompleteDigit's Python side: what travels, what does not fit, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image
from torch import nn

from widgets import CompleteDigit

HIDDEN, PLACE = 12, 4


@pytest.fixture(scope="module")
def digits():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (10, 28, 28), dtype=np.uint8), np.arange(10)


def ordered(inputs: int, outputs: int, seen: int) -> nn.Linear:
    """A layer of 49 outputs of which number i sees the first i pixels, and everything behind 49."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight[:, :seen] *= torch.tril(torch.ones(outputs, seen), -1)
    return layer


def nets(patches=2):
    torch.manual_seed(0)
    lstm = nn.LSTM(98 + PLACE, HIDDEN, batch_first=True)
    return lstm, nn.Sequential(ordered(49 + HIDDEN + 49 * patches, 49, 49))


def widget(digits, **changes):
    lstm, head = nets()
    arguments = {"lstm": lstm, "head": head, "positions": np.zeros((16, PLACE))}
    arguments |= {"examples": digits[0][:3], "example_labels": digits[1][:3]} | changes
    return CompleteDigit(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": np.zeros((15, PLACE))}, "16, any number"),
        ({"positions": np.full((16, PLACE), np.nan)}, "finite"),
        ({"positions": np.zeros((16, 5))}, r"takes \(steps, 102\)"),
        ({"lstm": nn.LSTM(102, HIDDEN, num_layers=2, batch_first=True)}, "only one layer"),
        ({"head": nn.Sequential()}, "the head must take"),
        ({"head": nn.Sequential(nn.Linear(60, 49))}, "the head must take"),
        ({"head": nn.Sequential(nn.Linear(61 + 98, 50))}, "gives 50 numbers, but must give 49"),
        ({"head": nn.Sequential(nn.Linear(61 + 98, 49))}, "depends on pixel 0"),
        ({"examples": np.zeros((3, 27, 27))}, "28"),
        ({"example_labels": [1, 2]}, "3 pictures"),
        ({"pictures": np.zeros((3, 28, 28))}, "rows, columns"),
    ],
)
def test_what_does_not_fit_is_an_error(digits, changes, message):
    with pytest.raises(ValueError, match=message):
        widget(digits, **changes)


def test_traits_are_checked(digits):
    one = widget(digits)
    for name, value in (("temperature", 2), ("temperature", -0.1), ("image", np.zeros((3, 3)))):
        with pytest.raises(t.TraitError):
            setattr(one, name, value)


def test_up_to_four_patches_may_go_to_the_head(digits):
    for patches in (1, 2, 3, 4):
        _, head = nets(patches)
        assert widget(digits, head=head)._head["spec"]["input"] == 49 + HIDDEN + 49 * patches


def test_static_picture(digits):
    assert widget(digits).poster() is None
    pictures = np.random.default_rng(0).random((2, 4, 28, 28))
    picture = Image.open(io.BytesIO(widget(digits, pictures=pictures).poster()))
    assert 500 <= picture.width <= 1300 and 1.9 < picture.width / picture.height < 2.1
