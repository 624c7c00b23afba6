"""SvdPlane: its numbers, what it refuses, its picture."""

import numpy as np
import pytest
import traitlets

from widgets.svd_plane import SvdPlane

EXAMPLE = [[1.9, 1.3], [0.8, 1.6]]


def test_the_numbers_of_the_chapter():
    numbers = SvdPlane(EXAMPLE).numbers()
    assert np.allclose(numbers["sigma"], [8**0.5, 0.5**0.5])
    assert np.allclose(numbers["rank_one"], [[1.6, 1.6], [1.2, 1.2]])
    assert numbers["plain"] == pytest.approx(8 / 8.5) == numbers["outputs"]


def test_inputs_of_one_direction_tell_the_two_methods_apart():
    widget = SvdPlane(EXAMPLE)
    widget.width = 0.1
    assert widget.numbers()["plain"] == pytest.approx(0.08 / 0.58)
    assert widget.numbers()["outputs"] == pytest.approx(0.5 / 0.58)
    widget.angle = 45.0
    plain, outputs = (widget.numbers()[way] for way in ("plain", "outputs"))
    assert plain == pytest.approx(outputs) and plain > 0.999


def test_the_points_have_the_covariance_of_the_numbers():
    points = np.array(SvdPlane(EXAMPLE)._points)
    assert np.allclose(points.mean(0), 0, atol=1e-3)
    assert np.allclose(points.T @ points / len(points), np.eye(2) / 4, atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": [1.0, 2.0]},
        {"matrix": [2.1, 0.0, 0.0, 0.0]},
        {"stage": 3.5},
        {"angle": 91.0},
        {"width": 0.0},
        {"width": float("nan")},
    ],
)
def test_other_values_are_refused(change):
    with pytest.raises(traitlets.TraitError):
        SvdPlane(EXAMPLE).set_trait(*next(iter(change.items())))


def test_a_matrix_of_zeros_loses_nothing():
    numbers = SvdPlane([[0, 0], [0, 0]]).numbers()
    assert numbers["plain"] == numbers["outputs"] == 1


def test_it_has_a_picture():
    assert SvdPlane(EXAMPLE).poster().startswith(b"\x89PNG")
