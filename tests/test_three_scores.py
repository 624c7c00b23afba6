"""ThreeScores: its numbers, what it refuses, its picture."""

import numpy as np
import pytest
import traitlets

from widgets.three_scores import ThreeScores

EXAMPLE = (2.0, 1.0, 0.0), 1, ("3", "5", "8")


def test_the_numbers_of_the_chapter():
    p, loss, push = ThreeScores(*EXAMPLE).numbers()
    assert p.round(3).tolist() == [0.665, 0.245, 0.09] and round(loss, 3) == 1.408
    assert push.round(3).tolist() == [0.665, -0.755, 0.09]


def test_a_shift_changes_nothing_and_a_temperature_only_the_sharpness():
    widget = ThreeScores(*EXAMPLE)
    p, loss, _ = widget.numbers()
    widget.shift = -7.5
    assert np.allclose(widget.numbers()[0], p) and widget.numbers()[1] == pytest.approx(loss)
    widget.temperature = 0.1
    sharp = widget.numbers()[0]
    widget.temperature = 10.0
    flat = widget.numbers()[0]
    assert sharp.argmax() == flat.argmax() == p.argmax() and sharp.max() > 0.999 > 0.4 > flat.max()


@pytest.mark.parametrize(
    "change",
    [
        {"scores": [1.0, 2.0]},
        {"scores": [7.0, 0.0, 0.0]},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"shift": 11.0},
        {"label": 3},
    ],
)
def test_other_values_are_refused(change):
    widget = ThreeScores(*EXAMPLE)
    with pytest.raises(traitlets.TraitError):
        widget.set_trait(*next(iter(change.items())))


def test_three_classes_are_needed():
    for wrong in (((1.0, 2.0), 0), ((1.0, 2.0, 3.0), 0, ("a", "b"))):
        with pytest.raises(traitlets.TraitError):
            ThreeScores(*wrong)


def test_it_has_a_picture():
    assert ThreeScores(*EXAMPLE).poster().startswith(b"\x89PNG")
