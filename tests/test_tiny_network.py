"""TinyNetwork: its numbers against complex steps, what it refuses, its picture."""

import pytest

from widgets.tiny_network import ASKED, QUIZ_ALT, STAGES, VALUES, TinyNetwork, backward, forward

EXAMPLE = dict(zip(VALUES, (1, 0.5, 0.5, -1, 1, 0.5, 0.2, -0.25, 1, -1.5, 0.5)))


@pytest.mark.parametrize("target", [0, 1])
def test_derivatives_are_those_that_a_complex_step_measures(target):
    found = backward(EXAMPLE, target)
    for name in VALUES:
        moved = EXAMPLE | {name: EXAMPLE[name] + 1e-30j}
        assert found[name] == pytest.approx(forward(moved, target)["loss"].imag / 1e-30, rel=1e-12)


def test_the_numbers_of_the_chapter():
    values, derivatives = TinyNetwork(EXAMPLE, 1).numbers()
    shown = {name: round(float(values[name]), 3) for name in ("a1", "a2", "h1", "h2", "z", "p")}
    assert shown == {"a1": 0.2, "a2": 1, "h1": 0.197, "h2": 0.762, "z": -0.445, "p": 0.391}
    assert round(values["loss"], 3) == 0.94 and round(derivatives["a1"], 3) == -0.586
    assert round(derivatives["x1"], 3) == 0.091  # two paths: -0.293 + 0.384


@pytest.mark.parametrize(
    "change, words",
    [({"x1": 3.5}, "from -3 to 3"), ({"x1": float("nan")}, "from -3"), ({"w9": 1}, "must name")],
)
def test_other_values_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        TinyNetwork(EXAMPLE | change, 1)


def test_target_and_stage_are_refused_beyond_their_range():
    for wrong in ({"target": 2}, {"target": 1, "stage": len(STAGES)}):
        with pytest.raises(Exception, match="target|stage"):
            TinyNetwork(EXAMPLE, **wrong)


def test_the_quiz_asks_for_five_derivatives_and_has_words_of_its_own():
    quiz = TinyNetwork(EXAMPLE, 0, quiz=True)
    derivatives = quiz.numbers()[1]
    asked = [round(float(derivatives[name]), 3) for name in ASKED]
    assert asked == [0.391, 0.297, -0.246, 0.188, -0.058]
    assert quiz.alt == QUIZ_ALT != TinyNetwork(EXAMPLE, 0).alt
    with pytest.raises(Exception, match="answers"):
        quiz.answers = ["0.4"]


@pytest.mark.parametrize("quiz", [False, True])
def test_it_has_a_picture(quiz):
    assert TinyNetwork(EXAMPLE, 1, quiz=quiz).poster().startswith(b"\x89PNG")
