"""The network in the page reads digits that are not MNIST's: other people's, and drawn ones."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests import book
from tests.browser.strokes import STROKES, draw

PAGE = "intro.html"  # it opens with the network of chapter 1
ANSWER = "() => document.querySelector('.dd').drawDigit.probabilities"


@pytest.fixture
def widget(serve, open_page):
    """The landing page with its figure running."""
    with serve(book.built()) as site:
        page, net = open_page()
        page.goto(f"{site}/{PAGE}")
        page.wait_for_selector('.course-widget[data-state="ready"]')
        yield page
        net.assert_clean()


def test_strokes_drawn_by_hand_are_read(widget):
    """At least 95 % of the ways to write a digit in strokes.py."""
    ways = [(digit, way) for digit, all_ways in STROKES.items() for way in all_ways]
    misread = []
    canvas = widget.locator(".dd canvas").first
    for digit, way in ways:
        widget.get_by_role("button", name="Clear").click()
        draw(canvas, way)
        answer = int(np.argmax(widget.evaluate(ANSWER)))
        if answer != digit:
            misread.append((digit, answer))
    assert len(ways) >= 30
    assert len(misread) <= 0.05 * len(ways), misread


def test_digits_of_another_collection_are_read(widget):
    """scikit-learn's digits: other writers, 8x8 pixels of 17 levels, enlarged to 64x64."""
    collection = load_digits()
    pictures = []
    for grey in collection.images:
        big = Image.fromarray(np.uint8(grey * 255 / 16)).resize((64, 64), Image.Resampling.BICUBIC)
        pictures.append(np.asarray(big).flatten().tolist())
    answers = widget.evaluate(
        """pictures => {
            const widget = document.querySelector(".dd").drawDigit;
            const ink = (grey) => Float32Array.from(grey, (v) => v / 255);
            return JSON.parse(pictures).map((grey) => [...widget.feedRaster(ink(grey), 64, 64)]);
        }""",
        json.dumps(pictures),
    )
    right = np.mean(np.argmax(answers, 1) == collection.target)
    assert right >= 0.85, f"{right:.1%} of {len(pictures)}"
