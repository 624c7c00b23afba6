"""ThreeScores in Chromium: its numbers against Python's, its step, its keyboard."""

from __future__ import annotations

import functools

import pytest

from tests.test_three_scores import EXAMPLE
from widgets.three_scores import ThreeScores


@pytest.fixture
def show(open_widget):
    return functools.partial(open_widget, ThreeScores(*EXAMPLE))


def numbers(page):
    page.wait_for_timeout(60)
    return page.evaluate("document.querySelector('.ts').threeScores.numbers()")


@pytest.mark.parametrize("state", [{}, {"shift": 8.0}, {"temperature": 0.2, "label": 2}])
def test_probabilities_loss_and_push_are_pythons(show, state):
    page, widget = show(), ThreeScores(*EXAMPLE)
    for name, value in state.items():
        setattr(widget, name, value)
        page.evaluate(f"model.set('{name}', {value})")
    found, (p, loss, push) = numbers(page), widget.numbers()
    assert found["p"] == pytest.approx(p.tolist(), abs=1e-12)
    assert found["loss"] == pytest.approx(loss, abs=1e-9)
    assert found["push"] == pytest.approx(push.tolist(), abs=1e-12)


def test_a_step_moves_the_scores_against_p_minus_y(show):
    page = show()
    page.get_by_role("button", name="One step").click()
    assert page.evaluate("model.get('scores')") == pytest.approx([1.335, 1.755, -0.09], abs=1e-3)
    assert numbers(page)["loss"] < 1
    assert "Class 5 gets" in page.locator(".ts [aria-live]").text_content()
    page.get_by_role("button", name="From the start").click()
    assert page.evaluate("model.get('scores')") == [2, 1, 0]


def test_the_keyboard_moves_a_score_and_a_shift_leaves_the_picture(show):
    page = show()
    place = page.locator(".ts-dot").first
    slider = page.get_by_label("Score of 8")
    before = place.get_attribute("cx")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.evaluate("model.get('scores')") == pytest.approx([2, 1, 0.1])
    moved = place.get_attribute("cx")
    assert moved != before
    page.get_by_label("Add to all three").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.evaluate("model.get('shift')") == 0.5
    assert float(place.get_attribute("cx")) == pytest.approx(float(moved))


def test_the_right_class_can_be_chosen(show):
    page = show()
    page.get_by_label("Right class").select_option("0")
    assert numbers(page)["loss"] == pytest.approx(0.4076, abs=1e-4)
    assert "0.408" in page.locator(".ts").text_content()
