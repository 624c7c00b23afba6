"""CentrePatch in Chromium: its completions against PyTorch, the slider."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from tests.browser.strokes import STROKES, draw_with_mouse
from tests.chapter import definitions
from tests.test_centre_patch import CURVE, PRESETS, classifier, rival
from tests.test_centre_patch import digits as three
from tests.test_centre_patch import widget as small
from widgets import CentrePatch


@pytest.fixture(scope="module")
def generator():
    """Chapter 8's, small, with random weights in the layers that begin at zero, too."""
    torch.manual_seed(0)
    net = definitions("08", "Generator", width=24, maps=4, latent_dim=5)["Generator"]()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
        net(torch.rand(64, 10, 10), torch.randn(64, 5), torch.ones(64, 1))  # for BatchNorm
    return net.eval()


@pytest.fixture
def widget(generator, digits):
    nets = generator.net, generator.shortcut, classifier()
    examples = digits[0][4000:4006], digits[1][4000:4006]
    return CentrePatch(*nets, *examples, CURVE, dtype="f32")


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, widget)


def frame(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def pictures(page):
    frame(page)
    return np.array(page.evaluate("document.querySelector('.cp').centrePatch.pictures"))


def set_lambda(page, value):
    page.evaluate(f"model.set('log_lambda', {value})")
    page.wait_for_timeout(60)


@pytest.mark.parametrize("log_lambda", [-2, 0.3, 2])
def test_the_page_completes_what_the_chapter_does(show, widget, generator, digits, log_lambda):
    page = show()
    set_lambda(page, log_lambda)
    image = digits[0][4000] / 255
    patch = torch.tensor(image[9:19, 9:19], dtype=torch.float32).expand(6, 10, 10)
    with torch.no_grad():
        z = torch.tensor(widget.z, dtype=torch.float32)
        expected = generator(patch, z, torch.full((6, 1), 10.0**log_lambda)).numpy()
    np.testing.assert_allclose(widget.complete(image, widget.z, log_lambda), expected, atol=1e-4)
    assert np.abs(pictures(page) - 255 * expected.reshape(6, 784)).max() <= 1


def test_the_centre_error_and_the_reader_are_right(show, widget, digits):
    page = show()
    set_lambda(page, 1)
    image = digits[0][4000] / 255
    made = widget.complete(image, widget.z, 1)
    error = ((made - image)[:, 9:19, 9:19] ** 2).mean()
    numbers = page.locator(".cp-numbers b").all_text_contents()
    assert float(numbers[0]) == pytest.approx(error, abs=2e-4)
    with torch.no_grad():
        read = classifier()(torch.tensor(made.reshape(6, 784))).argmax(1).numpy()
    captions = page.locator(".cp-tiles figcaption").all_text_contents()[1:]
    assert [int(caption.split(",")[0]) for caption in captions] == read.tolist()
    assert numbers[1] == f"{(read == digits[1][4000]).sum()} of 6"


def test_the_slider_is_logarithmic_and_reaches_python(show):
    page = show()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    frame(page)
    assert page.locator(".cw-value").text_content() == "100"
    assert "centre error 0.010" in page.locator(".cp-everywhere").text_content()
    page.keyboard.press("Home")
    frame(page)
    assert page.locator(".cw-value").text_content() == "0.010"
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.locator(".cw-value").text_content() == "0.10"
    assert page.evaluate("model.get('log_lambda')") == pytest.approx(-1)
    assert "Lambda 0.10" in page.locator(".cp > [aria-live]").text_content()


def test_choosing_drawing_and_new_noise(show, digits):
    page = show()
    button = page.get_by_role("button", name=f"Test digit 3, labelled {digits[1][4002]}")
    button.click()
    before = pictures(page)
    assert button.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="New noise").click()
    assert (pictures(page) != before).any()
    page.locator("summary", has_text="draw a digit").click()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[7][0])
    frame(page)
    assert page.locator("[aria-pressed=true]").count() == 0
    assert page.locator(".cp-numbers b").nth(1).text_content() == "–"


def test_a_preset_sets_everything_and_the_rival_completes(open_widget):
    one = small(rival=rival(), presets=PRESETS, dtype="f32")
    page = open_widget(one)
    page.get_by_role("button", name="Rival", exact=True).click()
    one.rival = True
    expected = 255 * one.complete(three()[0][0], one.z, 0).reshape(6, 784)
    assert np.abs(pictures(page) - expected).max() <= 1.5
    assert page.locator(".cw-why").text_content() == "The other one."
    page.get_by_role("button", name="One", exact=True).click()
    one.rival = False
    expected = 255 * one.complete(three()[0][1], one.z, 1).reshape(6, 784)
    assert np.abs(pictures(page) - expected).max() <= 1.5
    assert (
        page.get_by_role("button", name="One", exact=True).get_attribute("aria-pressed") == "true"
    )


def test_the_frame_takes_other_pixels_of_the_digit(show, digits):
    page = show()
    source = page.evaluate("[...new Uint8Array(model.get('image').buffer)]")
    pad = page.locator(".cp-source .cw-plane-pad")
    pad.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)  # Python hears of it when the reader rests
    moved = np.array(page.evaluate("[...new Uint8Array(model.get('image').buffer)]"))
    expected = np.zeros((28, 28), int)
    expected[1:, :-2] = np.reshape(source, (28, 28))[:-1, 2:]
    assert (moved.reshape(28, 28) == expected).all()
    assert page.locator(".cp-tile, .cw-tile").first.inner_text() == "Given"
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    handle = page.locator(".cp-source .cw-plane-handle")
    assert handle.evaluate("e => parseFloat(e.style.left)") == pytest.approx(100 * 5 / 28, abs=0.1)
    page.get_by_role("button", name=f"Test digit 3, labelled {digits[1][4002]}").click()
    frame(page)
    assert handle.evaluate("e => parseFloat(e.style.left)") == pytest.approx(50, abs=0.1)
