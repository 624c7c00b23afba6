"""LstmCell in Chromium: its numbers against Python's, its steps, presets and keyboard."""

from __future__ import annotations

import functools

import pytest

from tests.test_lstm_cell import make


@pytest.fixture
def show(open_widget):
    return functools.partial(open_widget, make())


def numbers(page):
    page.wait_for_timeout(60)
    return page.evaluate("document.querySelector('.lc').lstmCell.numbers()")


# The figure has heard of the new settings: gates i and f of its first step are these.
ARRIVED = """([i, f]) => {
  const [first] = document.querySelector(".lc").lstmCell.numbers();
  return Math.abs(first.i - i) < 1e-9 && Math.abs(first.f - f) < 1e-9;
}"""


@pytest.mark.parametrize(
    "state", [{}, {"forget": -1.5}, {"enter": 2.0, "sequence": "1, then noise"}]
)
def test_gates_and_states_are_pythons(show, state):
    page, widget = show(), make()
    for name, value in state.items():
        setattr(widget, name, value)
        page.evaluate(f"model.set('{name}', {value!r})")
    wanted = widget.numbers()
    page.wait_for_function(ARRIVED, arg=[wanted[0][gate] for gate in "if"])
    for found, ours in zip(numbers(page), wanted, strict=True):
        assert {k: found[k] for k in ours} == pytest.approx(ours, abs=1e-12)


def test_a_step_tells_its_sum(show):
    page = show()
    page.get_by_role("button", name="Next step").click()
    assert page.evaluate("model.get('step')") == 2
    story = page.locator(".lc-story").text_content()
    assert "0.953 · 0.849 + 0.119 · 0.247 = 0.838" in story
    assert "0.838" in page.locator(".lc [aria-live]").text_content()
    page.get_by_role("button", name="Step back").click()
    assert page.get_by_role("button", name="Step back").is_disabled()


def test_a_preset_says_why_until_something_is_moved(show):
    page = show()
    page.get_by_role("button", name="Half", exact=True).click()
    assert page.evaluate("[model.get('forget'), model.get('step')]") == [0, 16]
    assert page.locator(".cw-why").text_content() == "It halves."
    page.get_by_label("Bias of the forget gate").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.evaluate("model.get('forget')") == 0.25
    assert page.locator(".cw-why").text_content() == ""


def test_the_sequence_can_be_chosen(show):
    page = show()
    page.get_by_label("What comes by").select_option("1, then noise")
    assert page.evaluate("model.get('sequence')") == "1, then noise"
    assert numbers(page)[1]["x"] == 0.3
