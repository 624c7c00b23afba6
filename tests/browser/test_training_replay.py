"""TrainingReplay in Chromium: numbers against NumPy, slider, replay, keys."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from widgets import TrainingReplay

STEPS = (0, 1, 2, 5, 10, 30, 100, 1200)
UNITS = 16


@pytest.fixture(scope="module")
def snapshots(digits):
    """A net with 16 hidden units, trained for some steps on real digits, in plain NumPy."""
    images, labels = digits[0].reshape(-1, 784) / 255, digits[1]
    rng = np.random.default_rng(0)
    w1, w2 = rng.standard_normal((UNITS, 784)) / 28, rng.standard_normal((10, UNITS)) / 4
    found = []
    for step in range(STEPS[-1] + 1):
        x, y = (a[64 * step % 4000 :][:64] for a in (images, labels))
        hidden = np.tanh(x @ w1.T)
        e = np.exp(hidden @ w2.T)
        p = e / e.sum(1, keepdims=True)
        delta = (p - np.eye(10)[y]) / len(y)
        g1 = ((delta @ w2) * (1 - hidden**2)).T @ x
        if step in STEPS:
            loss, right = -np.log(p[range(len(y)), y]).mean(), (p.argmax(1) == y).mean()
            pictures = {"weights": w1.copy(), "gradient": g1, "outgoing": w2.copy()}
            found.append({"step": step, "loss": loss, "accuracy": right, **pictures})
        w1 -= 0.3 * g1
        w2 -= 0.3 * delta.T @ hidden
    return found


@pytest.fixture
def show(open_widget, snapshots):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, TrainingReplay(snapshots, unit=5))


def values(page, name):
    return np.array(page.evaluate(f"[...document.querySelector('.tr').trainingReplay.{name}]"))


def number(page, place) -> float:
    """A number as the page writes it, "3.1 × 10⁻⁵" included."""
    text = page.locator(place).inner_text().replace("−", "-").replace(",", "")
    if "×" in text:
        digits, power = text.split(" × 10")
        return float(digits) * 10.0 ** int(
            power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        )
    return float(text)


def calls(page) -> list:
    return page.evaluate("window.calls.splice(0).map((call) => call.join(' '))")


def said(page) -> str:
    return page.locator(".tr [aria-live]").inner_text()


def pressed(page) -> int:
    buttons = page.locator(".tr-units [aria-pressed=true]")
    assert buttons.count() == 1
    return int(buttons.get_attribute("aria-label").split()[-1])


SENT = ["set index", "set unit", "save_changes"]


# ---- the numbers --------------------------------------------------------------------------------


def test_every_step_and_unit_shows_what_numpy_has(show, snapshots):
    page = show()
    largest = np.abs([s["weights"] for s in snapshots]).max((0, 2))
    outgoing = page.locator(".tr-bars .tr-value")
    for k, s in enumerate(snapshots):
        page.evaluate(f"model.set('index', {k})")
        for unit in (0, 5, 15):
            page.evaluate(f"model.set('unit', {unit})")
            page.wait_for_function(
                f"document.querySelector('.tr-out .cw-title').textContent.endsWith('unit {unit}')"
            )
            page.wait_for_function(f"document.querySelector('.tr input').value === '{k}'")
            w, g = s["weights"][unit], s["gradient"][unit]
            assert abs(values(page, "weights") - w).max() <= largest[unit] / 254 * 1.001
            assert abs(values(page, "gradient") - g).max() <= abs(g).max() / 254 * 1.001
            np.testing.assert_allclose(values(page, "outgoing"), s["outgoing"][:, unit], rtol=1e-6)
            assert number(page, ".tr-wnorm") == pytest.approx(np.linalg.norm(w), rel=0.02)
            assert number(page, ".tr-gnorm") == pytest.approx(np.linalg.norm(g), rel=0.02)
            shown = [float(text.replace("−", "-")) for text in outgoing.all_inner_texts()]
            np.testing.assert_allclose(shown, s["outgoing"][:, unit], atol=0.0051)
        text = page.locator(".tr-loss").inner_text()
        assert f"{s['loss']:.3f} nats" in text and f"{100 * s['accuracy']:.1f} %" in text


def test_the_cursor_stands_on_the_curve(show):
    page = show()
    points = page.locator(".tr-line").get_attribute("points").split()
    assert len(points) == len(STEPS)
    for k in (0, 4, 7):
        page.evaluate(f"model.set('index', {k})")
        page.wait_for_function(f"document.querySelector('.tr input').value === '{k}'")
        dot = page.locator(".tr-dot")
        at = [float(dot.get_attribute(name)) for name in ("cx", "cy")]
        np.testing.assert_allclose(at, [float(v) for v in points[k].split(",")], atol=0.06)


# ---- what the reader can do ---------------------------------------------------------------------


def test_it_starts_at_the_end_and_says_nothing_to_python(show):
    page = show()
    assert page.locator(".tr-step").inner_text() == "1,200 of 1,200"
    assert pressed(page) == 5 and calls(page) == [] and said(page) == ""


def test_the_slider_moves_with_keys(show):
    page = show()
    slider = page.get_by_role("slider", name="Step of training")
    slider.focus()
    before = values(page, "weights")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.tr-step').textContent === '0 of 1,200'")
    assert (values(page, "weights") != before).any()
    assert page.evaluate("model.get('index')") == 0 and calls(page)[-3:] == SENT
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.tr-step').textContent === '1 of 1,200'")
    assert said(page).startswith("Step 1, unit 5: loss ")
    assert slider.get_attribute("aria-valuetext") == "step 1 of 1,200"


def test_units_are_chosen_with_the_mouse_and_with_arrows(show):
    page = show()
    page.get_by_role("button", name="Hidden unit 9", exact=True).click()
    assert pressed(page) == 9 and page.evaluate("model.get('unit')") == 9
    assert page.locator(".tr-out .cw-title").inner_text() == "Outgoing weights of unit 9"
    for key, unit in (
        ("ArrowLeft", 8),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
        ("ArrowDown", 8),
        ("End", 15),
    ):
        page.keyboard.press(key)
        assert pressed(page) == unit
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Hidden unit 15"
    assert page.locator(".tr-units [tabindex='0']").count() == 1


def test_play_runs_to_the_end_and_pause_stops_it(show):
    page = show()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.tr input').value === '2'")
    assert calls(page) == [] and said(page) == ""  # not at every step
    page.get_by_role("button", name="Pause").click()
    at = page.locator(".tr input").input_value()
    assert calls(page) == SENT and said(page).startswith("Step ")
    page.wait_for_timeout(700)
    assert page.locator(".tr input").input_value() == at
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()  # again, at the end
    assert page.locator(".tr-step").inner_text() == "1,200 of 1,200"
    assert page.evaluate("model.get('index')") == 7


def test_moving_the_slider_stops_the_replay(show):
    page = show()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.tr input').value === '1'")
    page.locator(".tr input").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Play").wait_for()
    at = page.locator(".tr input").input_value()
    page.wait_for_timeout(700)
    assert page.locator(".tr input").input_value() == at


def test_python_moves_it_and_two_views_agree(show):
    page = show()
    page.evaluate("window.show('two')")
    page.locator("#two .tr").wait_for()
    page.evaluate("model.set('index', 3); model.set('unit', 2)")
    page.wait_for_function(
        "[...document.querySelectorAll('.tr-step')].every((e) => e.textContent === '5 of 1,200')"
    )
    assert page.locator(".tr-units [aria-label='Hidden unit 2'][aria-pressed=true]").count() == 2
