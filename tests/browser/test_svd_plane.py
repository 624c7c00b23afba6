"""SvdPlane in Chromium: its numbers against Python's, its steps, its presets, its handles."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.test_svd_plane import EXAMPLE
from widgets.svd_plane import SvdPlane


@pytest.fixture
def show(open_widget):
    return functools.partial(open_widget, SvdPlane(EXAMPLE))


def numbers(page):
    page.wait_for_timeout(60)
    return page.evaluate("document.querySelector('.sv').svdPlane.numbers()")


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"width": 0.1},
        {"matrix": [0.6, -0.8, 0.8, 0.6], "width": 0.3},
        {"matrix": [1.0, 2.0, 1.5, -0.5], "angle": 20.0, "width": 0.2},
        {"matrix": [0.0, 0.0, 0.0, 0.0]},
    ],
)
def test_singular_values_and_shares_are_pythons(show, state):
    page, widget = show(), SvdPlane(EXAMPLE)
    for name, value in state.items():
        setattr(widget, name, value)
        page.evaluate(f"model.set('{name}', {value})")
    found, expected = numbers(page), widget.numbers()
    assert [found["s1"], abs(found["s2"])] == pytest.approx(expected["sigma"], abs=1e-12)
    assert found["outputs"] == pytest.approx(expected["outputs"], abs=1e-12)
    if expected["sigma"][0] - expected["sigma"][1] > 1e-6:  # else any direction is the first
        assert found["plain"] == pytest.approx(expected["plain"], abs=1e-12)
        np.testing.assert_allclose(
            found["rankOne"], expected["rank_one"].ravel(), rtol=0, atol=1e-12
        )


def test_the_steps_can_be_walked_by_key_and_are_told(show):
    page = show()
    slider = page.get_by_role("slider", name="Steps of the matrix")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function("model.get('stage') === 0")
    assert "The inputs as they come" in page.locator(".sv [aria-live]").text_content()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("model.get('stage') === 2")
    assert "stretched, 2.83 times and 0.71 times" in page.locator(".sv-story").inner_text()


def test_a_preset_shows_where_the_plain_svd_keeps_the_wrong_direction(show):
    page = show()
    page.get_by_role("button", name="Inputs the matrix hardly stretches").click()
    assert page.locator(".sv-figures dd").all_inner_texts() == ["2.83, 0.71", "13.8 %", "86.2 %"]
    assert "do not use" in page.locator(".cw-why").inner_text()
    assert page.evaluate("model.get('width')") == 0.1


def test_a_column_can_be_dragged(show):
    page = show()
    box = page.locator(".sv-handle").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 20, y - 10, steps=3)
    page.mouse.up()
    page.wait_for_timeout(400)
    matrix = page.evaluate("model.get('matrix')")
    assert matrix[0] < 1.8 and matrix[2] > 0.8 and matrix[1::2] == [1.3, 1.6]
