"""GradientFlow in Chromium: figures against NumPy, controls, keys."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from widgets import GradientFlow
from widgets import gradient_flow as gf

START = {"depth": 20, "activation": "tanh", "gain": 1.0}
PRESETS = [
    {"name": "Edge", "why": "As large as it left."},
    {"name": "Explode", "why": "Large weights.", "activation": "relu", "gain": 2.0},
    {"name": "Both", "why": "Used together.", "batch_norm": True, "residual": True},
]


@pytest.fixture(scope="module")
def widget(digits):
    return GradientFlow(digits[0][:12], digits[1][:12], presets=PRESETS, **START)


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, widget)


def shown(page) -> dict[str, np.ndarray]:
    all_ = page.evaluate("document.querySelector('.gf').gradientFlow.all")
    return {name: np.array(values) for name, values in all_.items()}


def set_model(page, **values):
    """Change traits as Python would, and wait until the page has drawn them."""
    for name, value in values.items():
        page.evaluate("([n, v]) => model.set(n, v)", [name, value])
    page.wait_for_function(
        "new Promise((d) => requestAnimationFrame(() => setTimeout(() => d(1))))"
    )


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_the_page_computes_what_numpy_computes(show, digits, activation, batch_norm, residual):
    """To 1e-6 at ten layers: a deep net may amplify the last bit, which differs between the two."""
    page = show()
    for gain, seed in ((0.5, 0), (1.4, 7)):
        options = {"depth": 10, "activation": activation, "gain": gain}
        options |= {"batch_norm": batch_norm, "residual": residual, "seed": seed}
        set_model(page, **options)
        expected = GradientFlow(digits[0][:12], digits[1][:12], **options).flow
        found = shown(page)
        for name in ("delta", "activation", "predicted"):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(found["saturated"], expected["saturated"], atol=0.01)
        histogram = found["histogram"].reshape(expected["histogram"].shape)
        np.testing.assert_allclose(histogram, expected["histogram"], atol=0.01)


def test_it_starts_as_python_made_it_and_says_nothing(show):
    page = show()
    assert page.locator(".gf-value").all_inner_texts() == ["20", "1.00"]
    assert page.get_by_role("radio", name="tanh").is_checked()
    assert page.evaluate("window.calls") == []
    assert page.locator(".gf [aria-live]").inner_text() == ""


def test_sliders_move_with_keys_and_are_heard(show):
    page = show()
    page.get_by_role("slider", name="Hidden layers").focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.gf-value').textContent === '40'")
    assert page.evaluate("model.get('depth')") == 40 and len(shown(page)["delta"]) == 40
    gain = page.get_by_role("slider", name="Gain")
    gain.focus()
    page.keyboard.press("Home")
    page.wait_for_function("model.get('gain') === 0.3")
    assert gain.get_attribute("aria-valuetext") == "gain 0.300"
    assert page.locator(".gf [aria-live]").inner_text().startswith("The gradient vanishes: ")
    page.keyboard.press("End")
    page.wait_for_function("model.get('gain') === 12")
    assert "explodes" in page.locator(".gf-verdict").inner_text()


def test_choices_and_new_weights(show):
    page = show()
    before = shown(page)["delta"]
    page.get_by_role("radio", name="sigmoid").check()
    assert page.evaluate("model.get('activation')") == "sigmoid"
    assert "vanishes" in page.locator(".gf-verdict").inner_text()
    page.get_by_role("checkbox", name="BatchNorm").check()
    assert page.evaluate("model.get('batch_norm')") is True
    assert "theory" not in page.locator(".gf-verdict").inner_text()
    assert page.locator(".gf-key").is_hidden()
    page.get_by_role("checkbox", name="BatchNorm").uncheck()
    page.get_by_role("radio", name="tanh").check()
    np.testing.assert_array_equal(shown(page)["delta"], before)
    page.get_by_role("button", name="New weights").click()
    assert page.evaluate("model.get('seed')") == 1 and (shown(page)["delta"] != before).all()


def test_presets_say_why_and_are_left_by_a_change(show):
    page = show()
    edge, explode, both = (page.get_by_role("button", name=p["name"]) for p in PRESETS)
    assert edge.get_attribute("aria-pressed") == "true"
    assert page.locator(".cw-why").inner_text() == "As large as it left."
    explode.click()
    assert page.evaluate("[model.get('activation'), model.get('gain')]") == ["relu", 2]
    assert "explodes" in page.locator(".gf-verdict").inner_text()
    assert explode.get_attribute("aria-pressed") == "true"
    both.click()
    assert page.get_by_role("checkbox", name="Residual").is_checked()
    assert page.locator(".gf-phases").is_hidden(), "theory speaks of plain nets only"
    page.get_by_role("checkbox", name="Residual").uncheck()
    assert both.get_attribute("aria-pressed") == "false"
    assert page.locator(".cw-why").inner_text() == ""


def test_the_map_shows_theory_and_where_the_reader_is(show, widget):
    page = show()
    found = page.evaluate("document.querySelector('.gf').gradientFlow.map")
    gains = np.geomspace(*gf.GAINS, len(found))
    expected = [gf.reach(widget._x, "tanh", gain) for gain in gains]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    page.locator(".gf-plane").click(position={"x": 2, "y": 2})
    assert page.evaluate("model.get('gain')") < 0.33 and page.evaluate("model.get('depth')") >= 39
    plane, here = (page.locator(name).bounding_box() for name in (".gf-plane", ".gf-here"))
    assert abs(here["x"] + here["width"] / 2 - plane["x"]) < 6


def test_python_moves_it_and_it_cleans_up(show):
    page = show()
    page.evaluate("window.show('two')")
    page.locator("#two .gf").wait_for()
    set_model(page, depth=7, activation="relu")
    for k in (0, 1):
        assert page.locator(".gf").nth(k).locator(".gf-value").first.inner_text() == "7"
    page.evaluate("window.cleanup()")
    assert page.locator(".gf").count() == 1
