"""TrainDigits: its settings, what it refuses, its digits, its picture."""

import numpy as np
import pytest
import traitlets

from widgets.train_digits import FAULTS, TrainDigits
from widgets.training_digits import unpacked_digits

EXAMPLES = np.zeros((3, 28, 28), np.uint8), [1, 2, 3]


def test_settings_can_be_chosen_and_set():
    widget = TrainDigits(*EXAMPLES, hidden=16, activations=("tanh", "relu"), faults=FAULTS)
    assert widget.activation == "tanh" and widget.optimizer == "sgd" and widget.fault == "none"
    widget.rate, widget.fault = 0.5, "half"
    with pytest.raises(traitlets.TraitError):
        widget.rate = 11
    with pytest.raises(traitlets.TraitError):
        widget.hidden = 17


@pytest.mark.parametrize(
    "options, words",
    [
        ({"activations": ("swish",)}, "activations must be some of"),
        ({"optimizers": ()}, "optimizers must be some of"),
        ({"faults": ("typo",)}, "faults must be some of"),
        ({"presets": [{"name": "no reason"}]}, "a preset has a name, a why"),
        ({"presets": [{"name": "a", "why": "b", "speed": 1}]}, "a preset has a name, a why"),
    ],
)
def test_other_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        TrainDigits(*EXAMPLES, **options)


def test_examples_need_as_many_labels():
    with pytest.raises(ValueError, match="example_labels"):
        TrainDigits(EXAMPLES[0], [1, 2])


def test_the_digits_come_when_the_page_asks():
    widget = TrainDigits(*EXAMPLES)
    assert widget._digits == {}
    widget._digits_wanted = True
    assert widget._digits["held_out"] == len(unpacked_digits()[1][1])


def test_it_has_a_picture_and_leaves_the_generators_alone():
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    picture = TrainDigits(*EXAMPLES, hidden=8, rate=0.2).poster()
    assert picture.startswith(b"\x89PNG") and torch.rand(1) == expected
