"""LatentPlane in Chromium: dragging, keys, legend, walk, encoding, what it tells Python."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from tests.browser.harness import PHONE
from tests.browser.strokes import STROKES, draw_with_mouse
from widgets import LatentPlane

EXTENT = 3.0


@pytest.fixture(scope="module")
def nets():
    """Encoder and decoder with random weights: enough to check what the page computes."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(784, 64), nn.Tanh(), nn.Linear(64, 4))
    decoder = nn.Sequential(nn.Linear(2, 128), nn.SiLU(), nn.Linear(128, 784))
    with torch.no_grad():
        for p in (*encoder[-1].parameters(), *decoder.parameters()):
            p *= 3
    return encoder.eval(), decoder.eval()


@pytest.fixture(scope="module")
def widget(nets, digits):
    encoder, decoder = nets
    labels = digits[1][:300]
    angle = 2 * np.pi * labels / 10
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    codes = centres + np.random.default_rng(0).normal(0, 0.2, (300, 2))
    return LatentPlane(
        decoder,
        codes,
        labels,
        encoder=encoder,
        examples=digits[0][4000:4008],
        example_labels=digits[1][4000:4008],
        extent=EXTENT,
    )


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, widget)


def point(page) -> np.ndarray:
    return np.array(page.evaluate("document.querySelector('.lp').latentPlane.z"))


def decoded(page) -> np.ndarray:
    """What is drawn, 0-255."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return np.array(page.evaluate("[...document.querySelector('.lp').latentPlane.decoded]"))


def expected(nets, z) -> np.ndarray:
    with torch.no_grad():
        return 255 * nets[1](torch.tensor(np.array(z, dtype="f4"))[None]).sigmoid()[0].numpy()


def said(page) -> str:
    return page.locator(".lp > [aria-live]").inner_text()


def sent(page) -> list:
    """What Python has heard, once the reader rests."""
    page.wait_for_timeout(400)
    return page.evaluate("window.calls.splice(0).map((call) => call.join(' '))")


SENT = ["set z", "save_changes"]


def start_drag(page, x, y):
    box = page.locator(".cw-plane-pad").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    return box


# ---- the point ----------------------------------------------------------------------------------


def test_it_starts_at_zero_and_says_nothing_to_python(show, nets):
    page = show()
    assert (point(page) == 0).all() and said(page) == "" and sent(page) == []
    assert np.abs(decoded(page) - expected(nets, (0, 0))).max() <= 8  # int8 weights


def test_the_page_draws_what_pytorch_draws(show, nets):
    page = show()
    for z in np.random.default_rng(1).uniform(-EXTENT, EXTENT, (20, 2)):
        page.evaluate("z => model.set('z', z)", z.tolist())
        assert np.abs(decoded(page) - expected(nets, z)).max() <= 12


def test_dragging_with_the_mouse(show, nets):
    page = show()
    box = start_drag(page, 0.75, 0.25)
    np.testing.assert_allclose(point(page), (1.5, 1.5), atol=0.02)
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"], steps=5)
    np.testing.assert_allclose(point(page), (-1.5, -1.5), atol=0.02)
    assert np.abs(decoded(page) - expected(nets, point(page))).max() <= 12
    page.mouse.move(box["x"] + 2 * box["width"], box["y"] - 50)  # leaves the map
    assert (point(page) == (EXTENT, EXTENT)).all()
    page.mouse.up()
    assert sent(page)[-2:] == SENT
    assert page.evaluate("model.get('z')") == [EXTENT, EXTENT]
    page.mouse.move(box["x"] + 50, box["y"] + 50)  # the button is up
    assert (point(page) == (EXTENT, EXTENT)).all()


def test_dragging_with_a_finger_does_not_scroll(show, protocol):
    page = show(**PHONE)
    box = page.locator(".cw-plane-pad").bounding_box()
    client = protocol(page)
    for k in range(9):
        place = {
            "x": box["x"] + 0.5 * box["width"],
            "y": box["y"] + (0.9 - 0.1 * k) * box["height"],
        }
        kind = "touchMove" if k else "touchStart"
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    np.testing.assert_allclose(point(page), (0, 0.8 * EXTENT), atol=0.05)
    assert page.evaluate("scrollY") == 0


def test_keys_on_the_map(show):
    page = show()
    page.locator(".cw-plane-pad").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    np.testing.assert_allclose(point(page), (0.05, 0.3), atol=1e-9)
    assert sent(page) == SENT  # once, at rest
    assert said(page).startswith("Point 0.05, 0.30: ")
    for _ in range(20):
        page.keyboard.press("Shift+ArrowDown")
    assert point(page)[1] == -EXTENT and page.evaluate("scrollY") == 0


def test_a_slider_for_each_axis(show):
    page = show()
    for axis in (0, 1):
        slider = page.get_by_role("slider", name=f"z[{axis}]")
        slider.focus()
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("ArrowLeft")
        assert point(page)[axis] == pytest.approx(0.2)
        page.keyboard.press("End")
        assert point(page)[axis] == EXTENT
        page.wait_for_timeout(50)
        assert slider.get_attribute("aria-valuetext") == "3.00"
        assert page.locator(".lp-axis output").nth(axis).inner_text() == "3.00"


def test_nearest_codes_vote(show, widget):
    page = show()
    codes = widget._code_step * np.frombuffer(widget._codes, "<i2").reshape(-1, 2)
    labels = np.frombuffer(widget._labels, np.uint8)
    for z in [(2.0, 0.1), (-1.0, 1.5), (0.0, 0.0)]:
        page.evaluate("z => model.set('z', z)", z)
        near = labels[np.argsort(((codes - z) ** 2).sum(1), kind="stable")[:15]]
        counts = np.bincount(near, minlength=10)
        winner = int(page.locator(".lp-winner").inner_text())
        assert counts[winner] == counts.max()
        text = page.locator(".lp-counts").inner_text()
        assert text.startswith(f"{counts.max()} of 15 are {winner}s")
        assert text in said(page)


# ---- the map ------------------------------------------------------------------------------------

MAP = "document.querySelector('.cw-plane-map').toDataURL()"


def settled_map(page) -> str:
    page.wait_for_selector("[data-manifold]")
    page.wait_for_timeout(100)
    return page.evaluate(MAP)


def test_the_manifold_is_decoded_in_idle_time(show, nets):
    page = show()
    page.get_by_label("Show the codes").uncheck()
    settled_map(page)
    row, column = 2, 11  # of 14: the brightness of this tile is that of the digit decoded there
    z = ((2 * column + 1) / 14 - 1) * EXTENT, -((2 * row + 1) / 14 - 1) * EXTENT
    shown = page.evaluate(
        """([row, column]) => {
          const canvas = document.querySelector(".cw-plane-map");
          const side = canvas.width / 14;
          const data = canvas.getContext("2d").getImageData(column * side, row * side, side, side);
          let sum = 0;
          for (let k = 0; k < data.data.length; k += 4) sum += data.data[k];
          return sum / (data.data.length / 4);
        }""",
        [row, column],
    )
    ink = expected(nets, z) / 255
    assert shown == pytest.approx((12 + 243 * ink).mean(), abs=4)
    page.get_by_label("Show the manifold").uncheck()
    page.wait_for_timeout(100)
    without = page.evaluate(MAP)
    page.get_by_label("Show the manifold").check()
    page.wait_for_timeout(100)
    assert page.evaluate(MAP) != without


def test_the_legend_highlights_one_class_at_a_time(show):
    page = show()
    before = settled_map(page)
    three = page.get_by_role("button", name="Highlight the codes of class 3")
    seven = page.get_by_role("button", name="Highlight the codes of class 7")
    three.click()
    page.wait_for_timeout(100)
    with_three = page.evaluate(MAP)
    assert three.get_attribute("aria-pressed") == "true" and with_three != before
    seven.click()
    page.wait_for_timeout(100)
    assert page.evaluate(MAP) not in (before, with_three)
    assert page.locator(".lp-class[aria-pressed=true]").count() == 1
    seven.click()
    page.wait_for_timeout(100)
    assert page.evaluate(MAP) == before
    assert page.locator(".lp-class[aria-pressed=true]").count() == 0


# ---- the walk -----------------------------------------------------------------------------------


def class_mean(widget, digit):
    codes = widget._code_step * np.frombuffer(widget._codes, "<i2").reshape(-1, 2)
    return codes[np.frombuffer(widget._labels, np.uint8) == digit].mean(0)


def test_a_walk_can_be_paused_and_goes_on(show, widget):
    page = show()
    page.get_by_label("from", exact=True).select_option("class 4")
    page.get_by_label("to", exact=True).select_option("class 9")
    a, b = class_mean(widget, 4), class_mean(widget, 9)
    page.get_by_role("button", name="Walk").click()
    page.wait_for_timeout(600)
    page.get_by_role("button", name="Pause").click()
    first = point(page)
    share = (first - a) @ (b - a) / ((b - a) @ (b - a))
    assert 0.02 < share < 0.8
    np.testing.assert_allclose(first, a + share * (b - a), atol=1e-6)  # on the line
    assert sent(page) == SENT
    assert (point(page) == first).all(), "it stands"
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(400)
    assert ((point(page) - a) @ (b - a)) / ((b - a) @ (b - a)) > share
    page.locator(".cw-plane-pad").focus()
    page.keyboard.press("ArrowUp")  # the reader takes over
    here = point(page)
    page.wait_for_timeout(200)
    assert (point(page) == here).all()
    assert page.get_by_role("button", name="Walk").count() == 1


def test_with_reduced_motion_a_walk_goes_in_steps(show, widget):
    page = show(reduced_motion="reduce")
    a, b = class_mean(widget, 0), class_mean(widget, 1)
    page.get_by_role("button", name="Walk in steps").click()
    for k in range(11):  # to the end in eight steps, and back
        share = k / 8 if k <= 8 else 2 - k / 8
        np.testing.assert_allclose(point(page), a + share * (b - a), atol=1e-9)
        page.wait_for_timeout(60)
        np.testing.assert_allclose(point(page), a + share * (b - a), atol=1e-9)
        page.get_by_role("button", name="Next step").click()


def test_a_walk_between_two_test_digits(show, nets, digits):
    page = show(reduced_motion="reduce")
    page.get_by_label("from", exact=True).select_option("test 2")
    page.get_by_label("to", exact=True).select_option("test 5")
    page.get_by_role("button", name="Walk in steps").click()
    x = torch.tensor(digits[0][4002] / 255, dtype=torch.float32).reshape(1, 784)
    with torch.no_grad():
        code = nets[0](x)[0, :2].numpy()
    np.testing.assert_allclose(point(page), code, atol=0.08)
    assert page.get_by_role("img", name="9 digits decoded on the line from test digit 3").count()


# ---- encoding -----------------------------------------------------------------------------------


def test_encoding_a_test_digit_and_a_drawing(show, nets, digits):
    page = show()
    label = digits[1][4003]
    button = page.get_by_role("button", name=f"Test digit 4, labelled {label}", exact=True)
    button.click()
    with torch.no_grad():
        x = torch.tensor(digits[0][4003] / 255, dtype=torch.float32).reshape(1, 784)
        code = nets[0](x)[0, :2].numpy()
    np.testing.assert_allclose(point(page), code, atol=0.08)
    assert button.get_attribute("aria-pressed") == "true" and sent(page) == SENT
    page.get_by_text("Or draw a digit").click()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[1][0])
    drawn = point(page)
    assert (drawn != code).all() and sent(page)[-2:] == SENT
    assert button.get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Clear").click()
    assert (point(page) == drawn).all()  # an empty drawing has no code


def test_without_encoder_there_is_nothing_to_encode(open_widget, nets):
    page = open_widget(LatentPlane(nets[1], np.eye(2), [3, 3]))  # two codes, one class
    page.wait_for_selector("[data-manifold]")
    assert page.locator(".cw-thumbnail").count() == 0 == page.locator(".cw-draw").count()
    assert page.locator(".lp-counts").inner_text() == "2 of 2 are 3s"
    assert page.locator(".lp-class:disabled").count() == 9


# ---- in step with Python ------------------------------------------------------------------------


def test_z_set_in_python_moves_the_point(show, nets):
    page = show()
    page.evaluate("model.set('z', [1.25, -0.5]); calls.splice(0)")
    assert (point(page) == (1.25, -0.5)).all()
    assert np.abs(decoded(page) - expected(nets, (1.25, -0.5))).max() <= 12
    assert sent(page) == [], "no echo"
    page.evaluate("model.set('z', [9, 0])")  # off the map: the handle stays at its edge
    assert (point(page) == (9, 0)).all()
    assert page.locator(".cw-plane-handle").evaluate("e => e.style.left") == "100%"


def test_two_views_of_one_model_and_cleaning_up(show):
    page = show()
    page.evaluate("show('two').then((cleanup) => (window.cleanupTwo = cleanup))")
    page.wait_for_function("!!window.cleanupTwo")
    page.locator(".cw-plane-pad").nth(1).focus()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(400)
    views = [v.evaluate("root => root.latentPlane.z") for v in page.locator(".lp").all()]
    assert views[0] == views[1] == [0.25, 0]
    page.get_by_role("button", name="Walk").first.click()  # it ends with the view
    page.evaluate("cleanup(); cleanupTwo()")
    assert page.evaluate("model.listeners") == 0 and page.locator(".lp").count() == 0
    page.evaluate("calls.splice(0)")
    assert sent(page) == []
