"""MapForming in Chromium: it trains, its map follows, and its presets show what they promise."""

from __future__ import annotations

import shutil

import pytest

from book.digits import TARGET
from tests.test_map_forming import PRESETS
from widgets import MapForming

LAB = "document.querySelector('.mf').mapForming"
SITE = """new Promise((done) => {
  const script = document.createElement("script");
  script.src = "course/widgets.js";
  script.onerror = script.onload = done;
  document.head.append(script);
})"""


@pytest.fixture
def show(open_widget, tmp_path):
    """`page = show(**settings)`: the figure beside the site's own file of digits."""
    (tmp_path / "course").mkdir()
    shutil.copy(TARGET, tmp_path / "course")
    (tmp_path / "course" / "widgets.js").write_text("")

    def show(**settings):
        page = open_widget(MapForming(presets=PRESETS, goal=190, **settings))
        page.evaluate(SITE)
        return page

    return show


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def train_to(page, step):
    """Train until the lab has been judged after ``step`` or later, then pause."""
    page.wait_for_function(f"() => {LAB}.lab()?.judged?.step >= {step}", timeout=60_000)
    press(page, "Pause")
    page.wait_for_function(f"() => {LAB}.lab().finished")
    return page.evaluate(f"({{...{LAB}.lab().judged, extent: {LAB}.lab().extent}})")


def told(page, name):
    return page.evaluate("(name) => model.get(name)", name)


def test_the_presets_show_what_they_promise(show):
    page = show()
    assert "600 kB" in page.locator(".mf-status").text_content()
    press(page, "Variational")
    found = train_to(page, 150)
    assert found["rate"] > 2 and found["distortion"] + found["rate"] < 190
    assert "below 190: done" in page.locator(".mf-status").text_content()
    steps, distortion, rate = told(page, "measured")
    assert steps >= 150 and distortion + rate == pytest.approx(
        found["distortion"] + found["rate"], rel=0.1
    )
    press(page, "Collapse")
    assert train_to(page, 100)["rate"] < 0.5
    press(page, "Plain")
    found = train_to(page, 150)
    assert found["extent"] >= 3 and "no rate" in page.locator(".mf-status").text_content()
    assert page.get_by_label("β, the price").is_disabled()


def test_the_point_moves_by_keys_and_mouse_and_the_decoder_follows(show):
    page = show()
    press(page, "New network")
    page.wait_for_function(f"() => !!{LAB}.lab()?.judged", timeout=60_000)
    pad = page.locator(".cw-plane-pad")
    pad.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.wait_for_timeout(400)
    extent = page.evaluate(f"{LAB}.lab().extent")
    assert told(page, "z") == pytest.approx([extent / 50, extent / 10], abs=1e-6)
    box = pad.bounding_box()
    before = page.evaluate("document.querySelector('.mf .cw-digit').toDataURL()")
    page.mouse.click(box["x"] + box["width"] * 0.05, box["y"] + box["height"] * 0.05)
    page.wait_for_timeout(400)
    assert told(page, "z") == pytest.approx([-0.9 * extent, 0.9 * extent], abs=0.1)
    assert page.evaluate("document.querySelector('.mf .cw-digit').toDataURL()") != before


def test_noise_and_price_change_a_network_that_goes_on(show):
    page = show(noise=False)
    press(page, "Train 1,500 steps")
    train_to(page, 60)
    steps = page.evaluate(f"{LAB}.lab().steps")
    page.get_by_label("Noise on the codes").check()
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().code.noisy]") == [steps, True]
    page.get_by_label("β, the price").press("ArrowRight")
    assert page.evaluate(f"{LAB}.lab().code.beta") == 3 and told(page, "beta") == 3
    press(page, "New network")
    assert page.evaluate(f"{LAB}.lab().steps") == 0


@pytest.mark.alone
def test_no_task_is_long_and_nothing_runs_out_of_sight(show):
    page = show()
    press(page, "Variational")
    page.wait_for_function(f"() => {LAB}.lab()?.steps > 20", timeout=60_000)
    longest = page.evaluate(
        """async () => {
          const long = [];
          const observer = new PerformanceObserver((list) => long.push(...list.getEntries()));
          observer.observe({ type: "longtask" });
          await new Promise((done) => setTimeout(done, 2000));
          return Math.max(0, ...long.map((task) => task.duration));
        }"""
    )
    assert longest <= 50
    page.evaluate("document.body.style.paddingBottom = '5000px'; scrollTo(0, 4000)")
    page.wait_for_timeout(200)
    steps = page.evaluate(f"{LAB}.lab().steps")
    page.wait_for_timeout(200)
    assert page.evaluate(f"{LAB}.lab().steps") == steps
