"""CompleteDigit in Chromium: its numbers against PyTorch, sampling, controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.browser.strokes import STROKES, draw_with_mouse
from tests.chapter import definitions
from widgets import CompleteDigit

CHAPTER = definitions("09", "Sampler", "to_patches", sampler_hidden_size=12, sampler_units=98)


@pytest.fixture(scope="module")
def sampler():
    """Chapter 9's net, small, with logits so far from 0 that temperature 0 leaves no doubt."""
    torch.manual_seed(0)
    net = CHAPTER["Sampler"]()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter *= 3
    return net


def without_masks(head):
    layers = []
    for layer in head:
        if hasattr(layer, "mask"):
            plain = nn.Linear(layer.in_features, layer.out_features)
            plain.weight.data, plain.bias.data = layer.weight.data * layer.mask, layer.bias.data
            layer = plain
        layers.append(layer)
    return nn.Sequential(*layers)


def logits_of(sampler, image):
    """As chapter 9 computes them: (8, 49) for the lower half of a picture in [0, 1]."""
    with torch.no_grad():
        picture = torch.tensor(image, dtype=torch.float32).view(1, 28, 28)
        return sampler(CHAPTER["to_patches"](picture))[0].numpy()


@pytest.fixture
def show(open_widget, digits, sampler):
    """`page = show(dtype, **options)` opens the widget's page."""

    def show(dtype="f32", **options):
        nets = sampler.lstm, without_masks(sampler.head), sampler.places.detach().numpy()
        examples = digits[0][4000:4006], digits[1][4000:4006]
        return open_widget(CompleteDigit(*nets, *examples, dtype=dtype), **options)

    return show


def whole(page):
    page.wait_for_selector(".cd[data-patches='16']")


def read(page, name):
    return np.array(page.evaluate(f"document.querySelector('.cd').completeDigit.{name}"))


@pytest.mark.parametrize(("dtype", "tolerance"), [("f32", 1e-5), ("i8", 0.1)])
def test_the_page_computes_what_pytorch_computes(show, digits, sampler, dtype, tolerance):
    page = show(dtype)
    for image in digits[0][4000:4004]:
        binary = np.where(image > 127, 255, 0)
        got = read(page, f"logits({binary.reshape(-1).tolist()})").reshape(8, 49)
        expected = logits_of(sampler, binary / 255)
        assert np.abs(got - expected).max() < tolerance * expected.std()


def test_at_temperature_0_it_takes_the_likelier_value(show, digits, sampler):
    page = show()
    page.evaluate("model.set('temperature', 0)")
    page.wait_for_timeout(200)
    whole(page)
    drawn = read(page, "patches")  # (5, 16, 49)
    assert (drawn == drawn[0]).all()
    image = np.zeros((4, 4, 7, 7))
    image[:] = drawn[0].reshape(4, 4, 7, 7)
    logits = logits_of(sampler, image.transpose(0, 2, 1, 3).reshape(28, 28))
    assert ((logits > 0) == (drawn[0, 8:] == 1)).all()


def test_pixels_are_drawn_with_their_probability(show, sampler):
    page = show()
    drawn, expected = [], []
    for _ in range(6):
        page.get_by_role("button", name="Draw again").click()
        whole(page)
        for sample in read(page, "patches"):
            image = sample.reshape(4, 4, 7, 7).transpose(0, 2, 1, 3).reshape(28, 28)
            drawn.append(sample[8:])
            expected.append(1 / (1 + np.exp(-logits_of(sampler, image))))
    drawn, expected = np.array(drawn), np.array(expected)
    error = np.sqrt((expected * (1 - expected)).sum())
    assert abs((drawn - expected).sum()) < 4 * error
    assert not (drawn == drawn[0]).all()


def test_the_given_half_stays(show, digits):
    page = show()
    whole(page)
    given = digits[0][4000][:14].reshape(-1)
    for picture in read(page, "pictures"):
        assert (picture.reshape(28, 28)[:14].reshape(-1) == given).all()


def test_choosing_and_drawing(show, digits):
    page = show()
    button = page.get_by_role("button", name=f"Test digit 3, labelled {digits[1][4002]}")
    button.click()
    whole(page)
    assert button.get_attribute("aria-pressed") == "true"
    assert (read(page, "pictures")[0].reshape(28, 28)[:14] == digits[0][4002][:14]).all()
    page.wait_for_function("new Uint8Array(model.get('image').buffer)[0] !== undefined")
    page.locator("summary", has_text="draw a digit").click()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[7][0])
    whole(page)
    assert page.locator("[aria-pressed=true]").count() == 0
    assert read(page, "pictures")[0][:392].sum() > 0


def test_temperature_reaches_the_model(show):
    page = show()
    slider = page.get_by_label("Temperature")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(400)
    assert page.evaluate("model.get('temperature')") == pytest.approx(0.95)
    assert "0.95" in page.locator(".cd > [aria-live]").text_content()


def test_without_motion_it_is_shown_whole(show):
    page = show(reduced_motion="reduce")
    whole(page)
