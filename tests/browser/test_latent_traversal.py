"""LatentTraversal in Chromium: sliders, strips, encoding, what it tells Python."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from tests.browser.harness import PHONE
from tests.browser.strokes import STROKES, draw_with_mouse
from widgets import LatentTraversal

DIM = 16
KL = np.linspace(0, 3, DIM) * (np.arange(DIM) % 3 != 0)  # ten dimensions with a slider


@pytest.fixture(scope="module")
def nets():
    """Encoder and decoder with random weights: enough to check what the page computes."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(784, 64), nn.Tanh(), nn.Linear(64, 2 * DIM))
    decoder = nn.Sequential(nn.Linear(DIM, 128), nn.SiLU(), nn.Linear(128, 784))
    with torch.no_grad():
        for p in (*encoder[-1].parameters(), *decoder.parameters()):
            p *= 2
    return encoder.eval(), decoder.eval()


@pytest.fixture(scope="module")
def widget(nets, digits):
    return LatentTraversal(*nets, digits[0][4000:4008], digits[1][4000:4008], KL)


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, widget)


def frame(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def point(page) -> np.ndarray:
    return np.array(page.evaluate("document.querySelector('.lt').latentTraversal.z"))


def image(page) -> np.ndarray:
    return np.array(page.evaluate("[...document.querySelector('.lt').latentTraversal.image]"))


def decoded(page) -> np.ndarray:
    """What is drawn, 0-255."""
    frame(page)
    return np.array(page.evaluate("[...document.querySelector('.lt').latentTraversal.decoded]"))


def logits(nets, z) -> torch.Tensor:
    with torch.no_grad():
        return nets[1](torch.tensor(np.array(z, dtype="f4"))[None])[0]


def expected(nets, z) -> np.ndarray:
    return 255 * logits(nets, z).sigmoid().numpy()


def code(nets, pixels) -> np.ndarray:
    x = torch.tensor(np.reshape(pixels, (1, 784)) / 255, dtype=torch.float32)
    with torch.no_grad():
        return nets[0](x)[0, :DIM].numpy()


def said(page) -> str:
    return page.locator(".lt > [aria-live]").inner_text()


def sent(page) -> list:
    """What Python has heard, once the reader rests."""
    page.wait_for_timeout(400)
    return page.evaluate("window.calls.splice(0).map((call) => call.join(' '))")


MOVED = ["set z", "save_changes"]
ENCODED = ["set image", "set z", "save_changes"]
CLOSE = {"atol": 0.12}  # of a code: int8 weights


# ---- what is shown at first ---------------------------------------------------------------------


def test_it_starts_at_the_code_of_the_first_example(show, nets, digits):
    page = show()
    assert (image(page) == digits[0][4000].reshape(784)).all()
    np.testing.assert_allclose(point(page), code(nets, digits[0][4000]), atol=1e-5)
    assert np.abs(decoded(page) - expected(nets, point(page))).max() <= 12
    assert sent(page) == [] and said(page) == ""


def test_sliders_are_in_the_order_of_kl(show):
    page = show()
    page.locator("summary", has_text="The other 2 active dimensions").click()
    labels = page.locator(".lt-label").all_inner_texts()
    order = np.argsort(-KL, kind="stable")[:10]
    for rank, (label, dim) in enumerate(zip(labels, order, strict=True), 1):
        assert label.split() == [str(rank), f"z[{dim}],", "KL", f"{KL[dim]:.2f}", "nats"]
    assert "6 of 16 dimensions have no slider" in page.locator(".lt").inner_text()


# ---- sliders ------------------------------------------------------------------------------------


def slider(page, dim):
    return page.get_by_role("slider", name=f"z[{dim}],")


@pytest.mark.alone  # Python hears of it when the reader rests: a slow machine rests too often
def test_moving_one_dimension(show, nets):
    page = show()
    dim = int(np.argmax(KL))
    before = point(page)
    box = slider(page, dim).bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    after = point(page)
    assert after[dim] == pytest.approx(1.5, abs=0.08)  # the thumb has a width
    assert (np.delete(after, dim) == np.delete(before, dim)).all()
    assert np.abs(decoded(page) - expected(nets, after)).max() <= 12
    assert sent(page) == MOVED
    slider(page, dim).focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press(key)
        frame(page)
    assert point(page)[dim] == pytest.approx(after[dim] + 0.1 - 0.5, abs=0.011)
    page.keyboard.press("Home")
    frame(page)
    assert point(page)[dim] == -3
    page.keyboard.press("ArrowLeft")
    assert point(page)[dim] == -3
    assert slider(page, dim).get_attribute("aria-valuetext") == "−3.00"
    assert page.locator(".lt-value").first.inner_text() == "−3.00"
    assert page.evaluate("scrollY") == 0
    assert sent(page) == MOVED, "once, at rest"


def test_cross_entropy_is_pytorchs(show, nets, widget):
    page = show()
    for z in np.random.default_rng(0).normal(size=(3, DIM)):
        page.evaluate("z => model.set('z', z)", z.tolist())
        page.wait_for_timeout(60)
        target = torch.tensor(widget.image.copy()).reshape(784)
        exact = nn.functional.binary_cross_entropy_with_logits(
            logits(nets, z), target, reduction="sum"
        )
        shown = float(page.locator(".lt-cost b").inner_text().removesuffix(" nats"))
        assert shown == pytest.approx(float(exact), rel=0.01)


def test_strips_show_what_the_decoder_draws(show, nets):
    page = show()
    dim = int(np.argmax(KL))
    other = int(np.argsort(-KL, kind="stable")[1])
    slider(page, other).focus()
    page.keyboard.press("End")
    page.wait_for_selector("[data-strips=ready]")
    strip = page.evaluate(
        """() => {
          const canvas = document.querySelector(".lt-strip");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 28);
          return [...data].filter((_, k) => k % 4 === 0);
        }"""
    )
    tiles = np.array(strip).reshape(28, 7, 28).swapaxes(0, 1)
    for column in range(7):
        z = point(page)
        z[dim] = 3 * ((2 * column + 1) / 7 - 1)
        red = 12 + expected(nets, z).reshape(28, 28) / 255 * 243
        assert np.abs(tiles[column] - red).max() <= 14


def test_hidden_strips_wait_until_they_are_seen(show):
    page = show()
    page.wait_for_selector("[data-strips=ready]")
    empty = "[...document.querySelectorAll('.lt-strip')].filter((c) => "
    empty += "c.getContext('2d').getImageData(3, 3, 1, 1).data[3] === 0).length"
    assert page.evaluate(empty) == 2
    page.locator("summary", has_text="The other 2").click()
    page.wait_for_function(f"{empty} === 0")


# ---- buttons ------------------------------------------------------------------------------------


def test_the_three_buttons(show, nets, digits):
    page = show()
    page.get_by_role("button", name="All to zero").click()
    assert (point(page) == 0).all() and sent(page) == MOVED
    assert said(page).startswith("All dimensions at zero") and "nats" in said(page)
    samples = []
    for _ in range(60):
        page.get_by_role("button", name="Sample from the prior").click()
        samples.append(point(page))
    samples = np.concatenate(samples)  # 960 of N(0, 1): five standard errors either way
    assert abs(samples.mean()) < 5 / 960**0.5 and abs(samples.std() - 1) < 5 / (2 * 960) ** 0.5
    page.get_by_role("button", name="Reset to the code").click()
    np.testing.assert_allclose(point(page), code(nets, digits[0][4000]), **CLOSE)


def test_encoding_test_digits(show, nets, digits):
    page = show()
    for k in (5, 2):
        label = digits[1][4000 + k]
        name = f"Test digit {k + 1}, labelled {label}"
        button = page.get_by_role("button", name=name, exact=True)
        button.click()
        assert (image(page) == digits[0][4000 + k].reshape(784)).all()
        np.testing.assert_allclose(point(page), code(nets, digits[0][4000 + k]), **CLOSE)
        assert button.get_attribute("aria-pressed") == "true"
        assert said(page).startswith(f"{name}, is encoded.")
        assert sent(page) == ENCODED
        assert page.evaluate("[...new Uint8Array(model.get('image').buffer)]") == list(image(page))


def test_encoding_a_drawing(show, nets):
    page = show()
    page.locator("summary", has_text="draw a digit").click()
    area = page.locator(".cw-draw")
    draw_with_mouse(page, area, STROKES[7][0])
    drawn = image(page)
    assert drawn.sum() > 0 and page.locator("[aria-pressed=true]").count() == 0
    np.testing.assert_allclose(point(page), code(nets, drawn), **CLOSE)
    assert sent(page)[-3:] == ENCODED and said(page).startswith("Your drawing is encoded.")
    dim = int(np.argmax(KL))
    slider(page, dim).focus()
    page.keyboard.press("Home")
    area.focus()  # looking at the drawing again does not encode it again
    page.wait_for_timeout(60)
    assert point(page)[dim] == -3
    page.get_by_role("button", name="Clear").click()
    assert (image(page) == drawn).all() and point(page)[dim] == -3


def test_the_original_and_its_reconstruction_stand_side_by_side(show, digits):
    page = show()
    frame(page)
    original, picture = page.locator(".lt-pictures canvas").all()
    red = (
        "c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, k) => k % 4 === 0)"
    )
    shown = np.array(original.evaluate(red))
    assert np.abs(shown - (12 + digits[0][4000].reshape(784) / 255 * 243)).max() <= 1
    assert np.abs(np.array(picture.evaluate(red)) - (12 + decoded(page) / 255 * 243)).max() <= 1
    a, b = original.bounding_box(), picture.bounding_box()
    assert a["y"] == b["y"] and a["x"] + a["width"] < b["x"]


# ---- in step with Python ------------------------------------------------------------------------


def test_what_python_sets_is_shown(show, nets, digits):
    page = show()
    z = np.random.default_rng(2).normal(size=DIM).tolist()
    page.evaluate("z => { model.set('z', z); calls.splice(0); }", z)
    page.wait_for_timeout(60)
    assert point(page).tolist() == z
    assert np.abs(decoded(page) - expected(nets, z)).max() <= 12
    pixels = digits[0][77].reshape(784)
    exact = code(nets, pixels).tolist()
    page.evaluate(
        """([pixels, z]) => {
          model.set("image", new DataView(Uint8Array.from(pixels).buffer));
          model.set("z", z);
          calls.splice(0);
        }""",
        [pixels.tolist(), exact],
    )
    page.wait_for_timeout(60)
    assert (image(page) == pixels).all() and point(page).tolist() == exact
    assert sent(page) == [], "no echo"


def test_two_views_of_one_model_and_cleaning_up(show, digits):
    page = show()
    page.evaluate("show('two').then((cleanup) => (window.cleanupTwo = cleanup))")
    page.wait_for_function("!!window.cleanupTwo")
    name = f"Test digit 4, labelled {digits[1][4003]}"
    page.get_by_role("button", name=name, exact=True).nth(1).click()
    page.wait_for_timeout(400)
    first, second = page.locator(".lt").all()
    for what in ("z", "image"):
        script = f"root => [...root.latentTraversal.{what}]"
        assert first.evaluate(script) == second.evaluate(script)
    page.get_by_role("button", name="All to zero").first.click()
    page.evaluate("cleanup(); cleanupTwo()")
    assert page.evaluate("model.listeners") == 0 and page.locator(".lt").count() == 0
    page.evaluate("calls.splice(0)")
    assert sent(page) == []


# ---- for every reader ---------------------------------------------------------------------------


def test_the_pictures_stay_in_view_on_a_phone(show):
    page = show(**PHONE)
    page.locator(".lt-range").nth(7).scroll_into_view_if_needed()
    picture, last = page.locator(".lt-pictures").bounding_box(), page.locator(".lt-range").nth(7)
    assert picture["y"] >= 0 and picture["y"] + picture["height"] < last.bounding_box()["y"] < 844
