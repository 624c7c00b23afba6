"""GanGame in Chromium: it plays, steps each player by itself, takes a drawing, keeps its seed."""

from __future__ import annotations

import functools

import pytest

from tests.browser.harness import PHONE
from tests.test_gan_game import PRESETS
from widgets import GanGame

GAME = "document.querySelector('.gg').ganGame"
WEIGHTS = f"""[{GAME}.game().G, {GAME}.game().D].map((net) =>
  net.layers.filter((layer) => layer.params.weight).map((layer) => [...layer.params.weight]))"""


@pytest.fixture
def show(open_widget):
    return functools.partial(open_widget, GanGame(presets=PRESETS))


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def play(page, steps):
    """Play by hand, without the runner, up to so many steps: always the same."""
    page.evaluate(f"() => {{ const g = {GAME}.game(); while (g.steps < {steps}) g.step(); }}")


def test_each_player_steps_by_itself_and_the_other_stays(show):
    page = show()
    start = page.evaluate(WEIGHTS)
    press(page, "Step D")
    after_d = page.evaluate(WEIGHTS)
    assert after_d[0] == start[0] and after_d[1] != start[1]
    press(page, "Step G")
    after_g = page.evaluate(WEIGHTS)
    assert after_g[0] != start[0] and after_g[1] == after_d[1]
    assert page.evaluate(f"{GAME}.game().steps") == 1


def test_the_ring_is_learnt_and_a_seed_repeats_itself(show):
    """In a fixed number of steps, so that the machine's speed decides nothing."""
    page = show()
    play(page, 1500)
    first = page.evaluate(f"{GAME}.game().quality()")
    assert first["covered"] > 0.85 and first["hits"] > 0.6
    weights = page.evaluate(WEIGHTS)
    page.reload()
    page.wait_for_selector("html[data-up]")
    play(page, 1500)
    assert page.evaluate(WEIGHTS) == weights
    press(page, "New weights")
    assert page.evaluate(WEIGHTS) != weights


def test_a_preset_sets_everything_runs_and_pauses(show):
    page = show()
    page.get_by_label("G's loss").select_option("saturating")
    press(page, "One spot")
    assert page.evaluate("[model.get('data'), model.get('r1'), model.get('loss')]") == [
        *("blob", 0, "non-saturating")
    ]
    page.wait_for_function(f"{GAME}.game().steps > 20")
    assert page.locator(".cw-why").text_content() == "It circles."
    press(page, "Pause")
    steps = page.evaluate(f"{GAME}.game().steps")
    page.wait_for_timeout(150)
    assert page.evaluate(f"{GAME}.game().steps") == steps
    page.get_by_label("R1 penalty").select_option("1")  # changes the game that goes on
    assert page.evaluate(f"[{GAME}.game().steps, {GAME}.game().settings.r1]") == [steps, 1]
    page.get_by_label("Data", exact=True).select_option("moons")  # begins another
    assert page.evaluate(f"{GAME}.game().steps") == 0


def test_data_can_be_drawn_with_keys(show):
    page = show(**PHONE)
    page.locator("summary").click()
    page.locator(".cw-draw").focus()
    for key in (" ", *["ArrowDown"] * 6, " "):
        page.keyboard.press(key)
    assert page.evaluate("model.get('data')") == "drawn"
    points = page.evaluate("model.get('points')")
    assert len(points) > 20 and points[0] == 0 and points[1] > points[-1]
    play(page, 5)
    press(page, "Clear")
    assert page.evaluate("[model.get('data'), model.get('points').length]") == ["ring", 0]


def test_out_of_sight_it_rests(show):
    page = show()
    page.evaluate("document.body.style.paddingBottom = '5000px'")
    press(page, "Run 2,000 steps")
    page.wait_for_function(f"{GAME}.game().steps > 5")
    page.evaluate("scrollTo(0, 5000)")
    page.wait_for_timeout(200)
    steps = page.evaluate(f"{GAME}.game().steps")
    page.wait_for_timeout(200)
    assert page.evaluate(f"{GAME}.game().steps") == steps


@pytest.mark.alone
def test_the_page_lives_while_they_play(show):
    page = show()
    page.evaluate(
        """() => {
          window.long = [];
          const note = (list) => long.push(...list.getEntries().map((task) => task.duration));
          new PerformanceObserver(note).observe({ type: "longtask" });
        }"""
    )
    page.get_by_label("R1 penalty").select_option("1")
    press(page, "Run 2,000 steps")
    page.wait_for_timeout(1500)
    assert page.evaluate(f"{GAME}.game().steps") > 20
    assert page.evaluate("Math.max(0, ...long)") <= 50
