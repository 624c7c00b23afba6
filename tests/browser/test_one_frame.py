"""OneFrame in Chromium: its spectrum and its masked sound against the chapter's, pen and keys."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from tests.browser.test_denoise import CHAPTER
from tests.test_one_frame import SAMPLES, make
from widgets.denoise import mu_law


@pytest.fixture
def show(open_widget):
    return functools.partial(open_widget, make())


def get(page, name):
    page.wait_for_timeout(60)
    return np.array(page.evaluate(f"document.querySelector('.of').oneFrame.{name}()"))


def noisy():
    level = mu_law(make()._noisy).astype(float) / 127 - 1
    return np.sign(level) * (256 ** abs(level) - 1) / 255


def test_the_spectrum_of_a_frame_is_a_column_of_the_chapters(show):
    page = show()
    page.evaluate("model.set('frame', 70)")
    whole = CHAPTER["stft"](torch.tensor(noisy()[None], dtype=torch.float32))[0]
    assert get(page, "spectrum") == pytest.approx(whole[:, 70].abs().numpy(), rel=1e-3, abs=1e-3)
    assert "strongest at 500 Hz" in page.locator(".of-story").text_content()


def test_with_everything_kept_the_sound_is_the_noisy_one(show):
    assert abs(get(show(), "masked") - noisy()).max() < 1e-4


def test_presets_change_what_is_heard(show):
    page = show()
    for name, least in (("Only below 1 kHz", 4), ("Ask the oracle", 8)):
        page.get_by_role("button", name=name).click()
        page.wait_for_timeout(100)
        said = page.locator(".of-story").text_content()
        assert float(said.split("masked ")[1].split(" dB")[0].replace("−", "-")) > least
    page.get_by_role("button", name="Keep all").click()
    assert set(page.evaluate("[...new Uint8Array(model.get('mask').buffer)]")) == {255}


def test_pen_and_keys_paint(show):
    page = show()
    count = "[...new Uint8Array(model.get('mask').buffer)].filter((v) => v === 0).length"
    page.locator(".of-canvas").scroll_into_view_if_needed()
    box = page.locator(".of-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(400)
    assert page.evaluate(count) == 9
    page.locator(".of-canvas").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    page.wait_for_timeout(400)
    assert page.evaluate(count) > 9
    assert abs(get(page, "masked") - noisy()).max() > 1e-4 and len(get(page, "masked")) == SAMPLES
