"""ConditionalDigits in Chromium: its pictures against PyTorch, controls."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from widgets import ConditionalDigits

DIM, SCALE = 8, 4.0
Z = np.random.default_rng(1).normal(size=DIM).astype("f4")
DIRECTIONS = np.linalg.qr(np.random.default_rng(2).normal(size=(DIM, 3)))[0].T


def make_generator():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(DIM + 10, 16 * 49),
        nn.ReLU(),
        nn.Unflatten(1, (16, 7, 7)),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 4, 2, 1),
        nn.Flatten(),
        nn.Sigmoid(),
    )
    net(torch.randn(64, DIM + 10))
    return net.eval()


def expected(z, weights):
    with torch.no_grad():
        both = np.concatenate([z, SCALE * np.asarray(weights)]).astype("f4")
        return 255 * make_generator()(torch.tensor(both[None]))[0].numpy()


def make_widget():
    return ConditionalDigits(make_generator(), DIRECTIONS, Z, label_scale=SCALE, dtype="f32")


@pytest.fixture
def show(open_widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, make_widget())


def picture(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return np.array(page.evaluate("document.querySelector('.gd').conditionalDigits.picture"))


def test_the_page_generates_what_pytorch_generates(show):
    page = show()
    assert np.abs(picture(page) - expected(Z, np.eye(10)[3])).max() <= 1
    page.get_by_role("button", name="Label 7").click()
    assert np.abs(picture(page) - expected(Z, np.eye(10)[7])).max() <= 1


def test_between_two_labels_and_truncated(show):
    page = show()
    page.get_by_label("Other label", exact=True).select_option("5")
    page.evaluate("model.set('mixture', 0.25)")
    page.evaluate("model.set('truncation', 0.5)")
    page.evaluate("model.set('other', 5)")
    page.wait_for_timeout(100)
    weights = 0.75 * np.eye(10)[3] + 0.25 * np.eye(10)[5]
    assert np.abs(picture(page) - expected(0.5 * Z, weights)).max() <= 1
    assert "0.25 of the way from 3 to 5" in page.locator(".gd-result").text_content()


def test_directions_move_the_noise(show):
    page = show()
    slider = page.get_by_label("Direction 2")
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert np.abs(picture(page) - expected(Z + DIRECTIONS[1], np.eye(10)[3])).max() <= 1
    page.get_by_role("button", name="New noise").click()
    picture(page)
    assert slider.input_value() == "0"


def test_new_noise_is_standard_normal(show):
    page = show()
    drawn = page.get_by_role("button", name="New noise").evaluate(
        """(button) => Array(100).fill().map(() => {
          button.click();
          return [...document.querySelector(".gd").conditionalDigits.z];
        })"""
    )
    assert abs(np.mean(drawn)) < 0.2 and abs(np.std(drawn) - 1) < 0.15


def test_python_hears_of_it(show):
    page = show()
    page.get_by_role("button", name="Label 2").click()
    page.get_by_label("Truncation").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(400)
    assert page.evaluate("[model.get('label'), model.get('truncation')]") == [2, 0.95]
    assert "Label 2" in page.locator(".gd > [aria-live]").text_content()
