"""Listen in Chromium: what it decodes, keys, position."""

from __future__ import annotations

import numpy as np
import pytest

from utils import audio
from widgets import Listen

SAMPLES = 20_000


def make_takes():
    rng = np.random.default_rng(0)
    voice = audio.make_noise("hum", SAMPLES, rng) * np.hanning(SAMPLES)
    return {
        "noisy": voice + audio.make_noise("white", SAMPLES, rng),
        "enhanced": voice / 2,
        "clean": voice,
    }


def test_the_page_hears_what_python_gave(open_widget):
    takes = make_takes()
    page = open_widget(Listen(takes, {"noisy": "SI-SDR 0.0 dB"}))
    for k, given in enumerate(takes.values()):
        found = np.array(page.evaluate(f"[...document.querySelector('.li').listen.sounds[{k}]]"))
        assert len(found) == SAMPLES
        likeness = found @ given / np.linalg.norm(found) / np.linalg.norm(given)
        assert likeness > 0.9
    loud = page.evaluate(
        "document.querySelector('.li').listen.sounds[0].reduce((a, b) => Math.max(a, Math.abs(b)))"
    )
    assert loud == pytest.approx(0.8, abs=0.1)
    assert page.get_by_text("SI-SDR 0.0 dB").is_visible()


def test_keys_switch_and_the_button_plays(open_widget):
    page = open_widget(Listen(make_takes()))
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Stop").is_visible()
    for key, name in (("2", "enhanced"), ("3", "clean"), ("1", "noisy")):
        page.keyboard.press(key)
        assert name in page.locator(".sp-take[aria-pressed=true]").text_content()
    page.keyboard.press("9")  # no such take
    assert "noisy" in page.locator(".sp-take[aria-pressed=true]").text_content()
    page.get_by_role("button", name="Stop").click()
    assert page.get_by_role("button", name="Play").is_visible()


def test_the_position_can_be_set(open_widget):
    page = open_widget(Listen(make_takes()))
    slider = page.get_by_label("Position")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator(".sp-time").text_content() == "0.5 s"
    assert page.locator(".sp-head:visible").count() == 1
    page.locator(".sp-picture").nth(2).click(position={"x": 5, "y": 20})
    assert "clean" in page.locator(".sp-take[aria-pressed=true]").text_content()
    assert float(page.locator(".sp-time").text_content().split()[0]) < 0.2


def test_the_place_moves_while_it_plays(open_widget):
    page = open_widget(Listen(make_takes()))
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("parseFloat(document.querySelector('.sp-time').textContent) >= 0.3")
    page.get_by_role("button", name="Stop").click()


def test_what_is_no_mp3_says_so(open_widget):
    widget = Listen(make_takes())
    widget._mp3 = bytes(len(widget._mp3))
    page = open_widget(widget)
    assert "cannot play the sounds" in page.locator(".cw-note").text_content()
