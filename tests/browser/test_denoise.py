"""Denoise in Chromium: its numbers against PyTorch, controls, keys."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.browser.test_engine import Residual
from tests.chapter import definitions
from utils import audio
from widgets import Denoise

WINDOW, HOP, SAMPLES = 512, 128, 128 * 159
BINS = WINDOW // 2 + 1
CHAPTER = definitions("02", "Denoiser", "features", "stft", window=WINDOW, hop=HOP, channels=8)


def small_net():
    torch.manual_seed(0)
    up = nn.ConvTranspose1d(16, 16, 4, 2, 1)
    middle = Residual(nn.Sequential(nn.SiLU(), nn.Conv1d(16, 16, 4, 2, 1), nn.SiLU(), up))
    return nn.Sequential(nn.Conv1d(2 * BINS, 16, 1), middle, nn.Conv1d(16, BINS, 1), nn.Sigmoid())


def enhance(net, x):
    """As chapter 2 does it, with another net: the mask, and the cleaned sound."""
    denoiser = CHAPTER["Denoiser"]()
    denoiser.net = net
    return net(CHAPTER["features"](CHAPTER["stft"](x).abs())), denoiser(x)


def make_widget(dtype="f32", **chosen):
    rng = np.random.default_rng(0)
    voice = audio.make_noise("hum", SAMPLES, rng) * np.hanning(SAMPLES)
    clips = [voice, voice[::-1]]
    babble = audio.make_noise("brown", SAMPLES, rng)
    options = {"window": WINDOW, "hop": HOP, "dtype": dtype, **chosen}
    return Denoise(small_net(), clips, ["one", "two"], babble, **options)


def get(page, name):
    return np.array(page.evaluate(f"[...document.querySelector('.dn').denoise.{name}]"))


@pytest.mark.parametrize("noise", ["white", "pink", "hum", "clicks", "babble"])
def test_the_page_computes_what_pytorch_computes(open_widget, noise):
    widget = make_widget(noise=noise, snr=3.0, clip=1)
    page = open_widget(widget)
    noisy, mask, enhanced = (get(page, name) for name in ("noisy", "mask", "enhanced"))
    with torch.no_grad():
        m, e = enhance(small_net(), torch.tensor(noisy[None], dtype=torch.float32))
    assert abs(mask - m.flatten().numpy()).max() < 1e-3
    assert abs(enhanced - e[0].numpy()).max() < 1e-4 * abs(e).max() + 1e-6


def test_int8_weights_change_little(open_widget):
    page = open_widget(make_widget("i8"))
    noisy, enhanced = get(page, "noisy"), get(page, "enhanced")
    with torch.no_grad():
        _, e = enhance(small_net(), torch.tensor(noisy[None], dtype=torch.float32))
    e = e[0].numpy()
    error = enhanced - e
    assert 10 * np.log10((e**2).sum() / (error**2).sum()) > 20  # dB


def test_the_mixture_has_the_level_that_is_set(open_widget):
    page = open_widget(make_widget(snr=7.0))
    clean = get(page, "clean")
    noise = get(page, "noisy") - clean
    assert 20 * np.log10(audio.rms(clean) / audio.rms(noise)) == pytest.approx(7, abs=0.01)


def test_controls_reach_the_model(open_widget):
    page = open_widget(make_widget())
    page.get_by_label("Noise", exact=True).select_option("hum")
    page.get_by_label("Clean speech").select_option("1")
    slider = page.get_by_label("Signal-to-noise ratio")
    slider.focus()
    page.keyboard.press("ArrowRight")
    state = page.evaluate("['noise', 'clip', 'snr'].map((k) => model.get(k))")
    assert state == ["hum", 1, 1]
    assert "Mains hum at 1 dB" in page.locator("[aria-live]").text_content()
    page.evaluate("model.set('snr', 12)")
    page.wait_for_function("document.querySelector('.dn .cw-value').textContent === '12 dB'")


def test_it_plays_and_changes_tracks_with_the_keyboard(open_widget):
    page = open_widget(make_widget())
    button = page.get_by_role("button", name="Play")
    button.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Stop").is_visible()
    page.keyboard.press("2")
    pressed = page.locator(".sp-take[aria-pressed=true]")
    assert "Enhanced" in pressed.text_content()
    page.get_by_role("button", name="Stop").click()
    assert page.get_by_role("button", name="Play").is_visible()


def test_without_a_microphone_it_says_so(open_widget):
    page = open_widget(make_widget())
    page.get_by_role("button", name="Record my voice").click()
    page.wait_for_function("document.querySelector('.dn-status').textContent.includes('recording')")


def test_a_recording_becomes_the_clean_speech(open_widget):
    widget = make_widget(noise="white", snr=10.0)
    page = open_widget(widget, permissions=["microphone"])
    clip, clean = page.evaluate("model.get('clip')"), get(page, "clean")
    page.get_by_role("button", name="Record my voice").click()
    page.wait_for_function("document.querySelector('.dn-status').textContent.includes('Recorded')")
    chosen = page.get_by_label("Clean speech").locator("option:checked")
    assert chosen.text_content() == "My recording"
    own, noisy = get(page, "clean"), get(page, "noisy")
    assert own.shape == clean.shape and (own != clean).any()
    assert audio.rms(own) == pytest.approx(0.05, rel=1e-3)
    assert 20 * np.log10(audio.rms(own) / audio.rms(noisy - own)) == pytest.approx(10, abs=0.01)
    assert page.evaluate("model.get('clip')") == clip  # the recording stays in the page
    assert page.get_by_role("button", name="Record my voice").is_enabled()
