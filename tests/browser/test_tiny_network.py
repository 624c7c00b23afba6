"""TinyNetwork in Chromium: every number against Python's, its steps, and the nudge."""

from __future__ import annotations

import functools

import pytest

from tests.browser.harness import PHONE, assert_accessible
from tests.test_tiny_network import EXAMPLE
from widgets.tiny_network import ASKED, STAGES, TinyNetwork, backward, forward


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


# ---- the quiz --------------------------------------------------------------------------------

NAMES = dict(zip(ASKED, ("δ₂ = ∂L/∂z", "∂L/∂v₂", "δ₁,₂ = ∂L/∂a₂", "∂L/∂w₁₂", "∂L/∂x₁")))


@pytest.fixture
def ask(open_widget):
    return functools.partial(open_widget, TinyNetwork(EXAMPLE, 0, quiz=True))


def answer(page, key, text):
    """Type an answer, press Enter, and return what is said of it."""
    field = page.get_by_label(NAMES[key], exact=True)
    field.fill(text)
    field.press("Enter")
    words = page.locator(f"#{field.get_attribute('aria-describedby')}").text_content()
    assert words in page.locator(".tn [aria-live]").text_content()
    return words


def test_right_answers_are_found_by_keyboard_and_drawn(ask):
    page = ask()
    derivatives = backward(EXAMPLE, 0)
    assert page.locator(".tn-drawing").text_content().count("?") == len(ASKED)
    for k, key in enumerate(ASKED, 1):
        for text in (f"{derivatives[key]:.2f}", f"{derivatives[key]:.3f}".replace("-", "−")):
            assert answer(page, key, text).startswith("Right")
        assert f"{k} of 5" in page.locator(".tn .cw-value").text_content()
        shown = page.locator(".tn-drawing").text_content()
        assert f"{derivatives[key]:.3f}".replace("-", "−") in shown and shown.count("?") == 5 - k
    assert page.get_by_role("button", name="Show the next answer").is_disabled()
    assert page.evaluate("model.get('answers').length") == 5


@pytest.mark.parametrize(
    "key, text, words",
    [
        ("z", "-0.609", "other answer"),
        ("z", "-0.391", "sign"),
        ("v2", "0.391", "what comes in"),
        ("v2", "-0.586", "∂L/∂h₂"),
        ("a2", "-0,586", "slope is missing"),
        ("a2", "0.164", "weight is missing"),
        ("a2", "0.246", "sign"),
        ("w12", "0.375", "x₂"),
        ("w12", "0.195", "slope is missing"),
        ("x1", "0.188", "other one"),
        ("x1", "-0.246", "other one"),
        ("x1", "0.129", "weights are missing"),
        ("x1", "7", "two paths"),
        ("x1", "much", "a number"),
    ],
)
def test_a_wrong_answer_is_told_what_is_missing(ask, key, text, words):
    page = ask()
    assert words in answer(page, key, text)
    assert "0 of 5" in page.locator(".tn .cw-value").text_content()


def test_one_decimal_is_asked_for_two(ask):
    rounded = f"{backward(EXAMPLE, 0)['w12']:.1f}"
    assert answer(ask(), "w12", rounded) == "That may well be it. Give two decimals."


def test_answers_are_shown_on_demand_cleared_and_set_by_python(ask):
    page = ask()
    press(page, "Show the next answer")
    assert page.get_by_label(NAMES["z"], exact=True).input_value() == "0.391"
    press(page, "Clear")
    assert page.get_by_label(NAMES["z"], exact=True).input_value() == ""
    page.evaluate("model.set('answers', ['', '', '-0.246', '', ''])")
    page.wait_for_function("document.querySelector('.tn .cw-value').textContent.includes('1 of 5')")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_the_quiz_serves_every_reader(ask, options):
    page = ask(**options)
    answer(page, "z", "0.391")
    answer(page, "a2", "-0.586")
    assert_accessible(page)
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
