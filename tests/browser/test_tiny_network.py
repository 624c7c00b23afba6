"""TinyNetwork in Chromium: every number against Python's, its steps, and the nudge."""

from __future__ import annotations

import functools

import pytest

from tests.test_tiny_network import EXAMPLE
from widgets.tiny_network import STAGES, TinyNetwork, backward, forward


@pytest.fixture
def show(open_widget):
    return functools.partial(open_widget, TinyNetwork(EXAMPLE, 1))


def numbers(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return page.evaluate("document.querySelector('.tn').tinyNetwork.now()")


def press(page, name, times=1):
    for _ in range(times):
        page.get_by_role("button", name=name, exact=True).click()


def test_values_and_derivatives_are_pythons(show):
    found = numbers(show())
    values, derivatives = TinyNetwork(EXAMPLE, 1).numbers()
    for name, value in values.items():
        assert found["f"][name] == pytest.approx(value, abs=1e-12)
    for name, value in derivatives.items():
        assert found["d"][name] == pytest.approx(value, abs=1e-12)


def test_each_step_adds_its_numbers_and_tells_how(show):
    page = show()
    drawing, story = page.locator(".tn-drawing"), page.locator(".tn-story")
    told = {story.text_content()}
    for stage in range(1, len(STAGES)):
        press(page, "Step")
        told.add(story.text_content())
        assert f"{stage} of 10" in page.locator(".tn .cw-value").first.text_content()
    assert (
        len(told) == len(STAGES)
        and page.get_by_role("button", name="Step", exact=True).is_disabled()
    )
    assert "−0.293 + 0.384 = 0.091" in story.text_content()
    shown = drawing.text_content()
    for number in ("−0.586", "0.384", "−0.120", "−0.464", "0.091"):
        assert number in shown
    press(page, "Step back")
    assert "0.091" not in drawing.text_content()
    assert page.evaluate("model.get('stage')") == 9
    press(page, "All steps")
    press(page, "From the start")
    assert page.evaluate("model.get('stage')") == 0 and "−0.586" not in drawing.text_content()


def test_a_nudge_is_predicted_and_happens(show):
    page = show()
    page.get_by_label("Nudge one number").select_option("w11")
    slider = page.get_by_label("by", exact=True)
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(50)
    nudge = page.evaluate("model.get('nudge')")
    assert nudge == pytest.approx(0.15)
    base = forward(EXAMPLE, 1)["loss"]
    actual = forward(EXAMPLE | {"w11": 0.65}, 1)["loss"] - base
    words = page.locator(".tn-verdict").text_content().replace("−", "-")
    assert f"{-0.5857 * 0.15:.4f}" in words and f"{actual:.4f}" in words
    page.get_by_label("Nudge one number").select_option("")
    assert slider.is_disabled() and "Choose a number" in page.locator(".tn-verdict").text_content()


def test_it_follows_python(show):
    page = show()
    page.evaluate("model.set('stage', 10); model.set('chosen', 'x1'); model.set('nudge', 0.2)")
    assert numbers(page)["f"]["x1"] == pytest.approx(1.2)
    assert page.evaluate("calls.filter(([what]) => what === 'save_changes').length") == 0


def test_all_weights_move_downhill(show):
    page = show()
    press(page, "Move all weights downhill", 2)
    values, (first, *_) = dict(EXAMPLE), [forward(EXAMPLE, 1)]
    for _ in range(2):
        slopes = backward(values, 1)
        values |= {k: v - 0.5 * slopes[k] for k, v in values.items() if k[0] != "x"}
    last = forward(values, 1)
    assert numbers(page)["f"]["p"] == pytest.approx(last["p"], abs=1e-12)
    words = page.locator(".tn-course").text_content()
    assert f"p from {first['p']:.3f} to {last['p']:.3f}" in words and "After 2 steps" in words
    press(page, "Start again")
    assert numbers(page)["f"]["p"] == pytest.approx(first["p"], abs=1e-12)
