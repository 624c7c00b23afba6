"""DrawDigit in Chromium: drawing, buttons, what it tells Python."""

from __future__ import annotations

import functools
import statistics

import numpy as np
import pytest
import torch
from torch import nn

from tests.browser.harness import PHONE, assert_accessible
from tests.browser.strokes import STROKES, draw, draw_with_mouse
from widgets import DrawDigit
from widgets.base import FRONT


@pytest.fixture(scope="module")
def widget(digit_net, digits):
    images, labels = digits
    return DrawDigit(
        digit_net,
        images[4000:4012],
        labels[4000:4012],
        neighbours=images[:600],
        neighbour_labels=labels[:600],
    )


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, widget)


def probabilities(page):
    """The ten probabilities, or None while nothing is drawn."""
    values = page.evaluate(
        "[...(document.querySelector('.dd').drawDigit.probabilities ?? [])]",
    )
    return np.array(values) if values else None


def image(page):
    """What the net was fed, 0-255."""
    return np.array(page.evaluate("[...document.querySelector('.dd').drawDigit.image]")).reshape(
        28, 28
    )


def said(page) -> str:
    return page.locator(".dd [aria-live]").inner_text()


def calls(page) -> list:
    """What was sent to the model since the last time."""
    return page.evaluate("window.calls.splice(0).map((call) => call.join(' '))")


def sent_image(page):
    sent = page.evaluate("[...new Uint8Array(model.get('image').buffer)]")
    return np.array(sent).reshape(28, 28)


SENT = ["set image", "set example", "set temperature", "save_changes"]


def clear(page):
    page.get_by_role("button", name="Clear").click()


# ---- what is shown at first ---------------------------------------------------------------------


def test_it_starts_with_the_first_example_and_says_nothing_to_python(show, widget, digits):
    page = show()
    assert (image(page) == digits[0][4000]).all()
    np.testing.assert_allclose(probabilities(page), widget.probabilities, atol=0.06)
    best = int(widget.probabilities.argmax())
    assert page.locator(".dd-digit").inner_text() == str(best)
    row = page.locator(".dd-bars li").nth(best)
    assert row.get_attribute("class").split()[0] == "dd-best" and "%" in row.inner_text()
    assert f"labelled {digits[1][4000]}" in page.locator(".dd-truth").inner_text()
    assert calls(page) == [] and said(page) == ""


def test_scores_stand_beside_the_probabilities_and_a_temperature_divides_them(show, widget):
    page = show()
    logits = page.evaluate("[...document.querySelector('.dd').drawDigit.logits]")
    np.testing.assert_allclose(logits, widget.logits, atol=0.5)
    shown = page.locator(".dd-note").all_inner_texts()
    assert shown == [f"{round(z, 1) + 0:.1f}".replace("-", "−") for z in logits]
    best = probabilities(page).argmax()
    heat = page.get_by_label("Temperature")
    heat.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(60)
    hot = page.evaluate("model.get('temperature')")
    assert hot == pytest.approx(10**0.6, rel=1e-3)
    expected = torch.tensor(logits).div(hot).softmax(0).numpy()
    np.testing.assert_allclose(probabilities(page), expected, atol=1e-4)
    assert probabilities(page).argmax() == best
    assert f"at temperature {hot:.2f}" in said(page)
    page.evaluate("model.set('temperature', 1)")
    page.wait_for_timeout(60)
    assert probabilities(page)[best] > expected[best]


def test_another_figure_of_the_page_does_not_pull_the_rows_apart(show):
    page = show()
    page.add_style_tag(content=(FRONT / "lib" / "style.css").read_text("utf-8"))  # it comes again
    boxes = [part.bounding_box() for part in page.locator(".dd-bars li").first.locator("> *").all()]
    middles = [box["y"] + box["height"] / 2 for box in boxes]
    assert len(boxes) == 4 and max(middles) - min(middles) < 4
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)


# ---- drawing ------------------------------------------------------------------------------------


def test_drawing_with_the_mouse(show):
    page = show()
    canvas = page.get_by_role("application", name="Drawing area")
    roof, stem = [(0.2, 0.1), (0.8, 0.1)], [(0.8, 0.1), (0.6, 0.5), (0.45, 0.9)]
    draw_with_mouse(page, canvas, [roof])
    assert image(page).sum() > 0 and calls(page) == SENT  # the example has made way for the drawing
    assert (image(page) == sent_image(page)).all()
    assert page.evaluate("model.get('example')") == -1
    draw_with_mouse(page, canvas, [stem])
    assert probabilities(page).argmax() == 7
    assert said(page).startswith("The net says 7, ") and "; next " in said(page)
    assert calls(page) == SENT


def test_nothing_is_sent_or_said_before_the_pen_is_lifted(show):
    page = show()
    area = page.locator(".cw-draw").bounding_box()
    page.mouse.move(area["x"] + 50, area["y"] + 50)
    page.mouse.down()
    page.mouse.move(area["x"] + 90, area["y"] + 200, steps=8)
    page.wait_for_function("document.querySelector('.dd-digit').textContent === '1'")  # bars follow
    assert calls(page) == [] and said(page) == ""
    page.mouse.move(area["x"] + area["width"] + 80, area["y"] + 200)  # out of the area and back
    page.mouse.up()
    assert calls(page) == SENT and said(page).startswith("The net says")


def test_other_mouse_buttons_do_not_draw(show):
    page = show()
    before = image(page)
    area = page.locator(".cw-draw").bounding_box()
    page.mouse.move(area["x"] + 50, area["y"] + 50)
    page.mouse.down(button="right")
    page.mouse.move(area["x"] + 150, area["y"] + 150)
    page.mouse.up(button="right")
    assert (image(page) == before).all() and calls(page) == []


def test_drawing_with_a_finger(show, protocol):
    page = show(**PHONE)
    page.locator(".cw-draw").scroll_into_view_if_needed()
    area = page.locator(".cw-draw").bounding_box()
    scrolled = page.evaluate("scrollY")
    client = protocol(page)

    def touch(kind, *points):
        places = [
            {"x": area["x"] + area["width"] * x, "y": area["y"] + area["height"] * y}
            for x, y in points
        ]
        for number, place in enumerate(places):
            place["id"] = number
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (0.5, 0.15))
    for k in range(1, 9):
        touch("touchMove", (0.5, 0.15 + 0.08 * k), *([(0.9, 0.9 - 0.05 * k)] if k > 4 else []))
    touch("touchEnd")
    assert probabilities(page).argmax() == 1  # the second finger has drawn nothing
    assert page.evaluate("scrollY") == scrolled
    assert calls(page) == SENT


def test_drawing_with_the_keyboard(show):
    page = show()
    canvas = page.locator(".cw-draw")
    canvas.focus()
    page.keyboard.press("Space")
    assert said(page) == "Pen down."
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    assert calls(page) == []
    page.keyboard.press("Space")
    assert said(page).startswith("The net says 1, ") and calls(page) == SENT
    page.keyboard.press("ArrowLeft")  # the pen is up: moves, and draws nothing
    assert calls(page) == [] and probabilities(page).argmax() == 1
    page.keyboard.press("Delete")
    assert image(page).sum() == 0 and said(page) == "The drawing area is empty."
    assert page.evaluate("scrollY") == 0


def test_two_arrows_together_draw_a_diagonal(show):
    page = show()
    page.locator(".cw-draw").focus()
    page.keyboard.press("Space")
    page.keyboard.down("ArrowRight")
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    page.keyboard.up("ArrowRight")
    page.keyboard.press("Space")
    rows, columns = np.nonzero(image(page) > 128)
    assert np.corrcoef(rows, columns)[0, 1] > 0.9


def test_leaving_the_drawing_area_lifts_the_pen(show):
    page = show()
    page.locator(".cw-draw").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert calls(page) == SENT
    page.keyboard.press("Shift+Tab")
    before = image(page)
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert (image(page) == before).all()


# ---- buttons ------------------------------------------------------------------------------------


def test_undo_and_clear(show):
    page = show()
    undo = page.get_by_role("button", name="Undo stroke")
    assert undo.is_disabled()
    draw_with_mouse(page, page.locator(".cw-draw"), [[(0.3, 0.1), (0.3, 0.9)]])
    one = image(page)
    draw_with_mouse(page, page.locator(".cw-draw"), [[(0.3, 0.5), (0.9, 0.5)]])
    assert (image(page) != one).any()
    undo.click()
    assert (image(page) == one).all() and (sent_image(page) == one).all()
    page.locator(".cw-draw").focus()
    page.keyboard.press("Control+z")
    assert image(page).sum() == 0 and probabilities(page) is None
    page.wait_for_function("document.querySelector('.dd-percent').textContent === '–'")
    assert undo.is_disabled()
    page.get_by_role("button", name="Next test digit").click()
    clear(page)
    assert image(page).sum() == sent_image(page).sum() == 0
    assert page.evaluate("model.get('example')") == -1


def test_picking_test_digits(show, digits):
    page = show()
    images, labels = digits[0][4000:4012], digits[1][4000:4012]
    thumbnails = page.get_by_role("group", name="Test digits").locator("[aria-pressed]")
    assert thumbnails.count() == 12
    for k in (5, 11):
        page.get_by_role(
            "button", name=f"Test digit {k + 1}, labelled {labels[k]}", exact=True
        ).click()
        assert (image(page) == images[k]).all() and (sent_image(page) == images[k]).all()
        assert page.evaluate("model.get('example')") == k and calls(page) == SENT
        assert said(page).endswith(f"This test digit is labelled {labels[k]}.")
        assert thumbnails.nth(k).get_attribute("aria-pressed") == "true"
        assert page.locator("[aria-pressed=true]").count() == 1
        assert page.locator(".dd-label .dd-name").inner_text() == str(labels[k])
    page.get_by_role("button", name="Next test digit").click()  # after the last, the first
    assert (image(page) == images[0]).all()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[3][0])
    assert page.locator("[aria-pressed=true]").count() == 0
    page.get_by_role("button", name="Next test digit").click()  # goes on where it was
    assert (image(page) == images[1]).all()


def test_nearest_training_digits(show, digits):
    page = show()
    section = page.locator("details", has_text="Nearest training digits")
    section.locator("summary").click()
    section.get_by_text("Of 600 training digits").wait_for()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[0][0])
    page.wait_for_timeout(100)
    coarse = np.rint(digits[0][:600].astype(float) / 17) * 17
    distance = np.sqrt(((coarse - image(page)) ** 2).sum((1, 2))) / 255
    order = np.argsort(distance, kind="stable")[:5]
    captions = section.locator("figcaption").all_inner_texts()
    assert captions == [f"{digits[1][k]} at {distance[k]:.1f}" for k in order]
    names = [c.get_attribute("aria-label") for c in section.locator("canvas").all()]
    assert names == [f"Training digit labelled {digits[1][k]}" for k in order]


def test_what_the_first_layer_responds_to(show, digit_net):
    page = show()
    section = page.locator("details", has_text="What the first layer responds to")
    section.locator("summary").click()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[2][0])
    page.wait_for_timeout(100)
    with torch.no_grad():
        responses = digit_net[:4](torch.tensor(image(page)[None] / 255, dtype=torch.float32))[0]
    units, values = [], []
    for caption in section.locator("figcaption").all_inner_texts():
        unit, value = caption.split(" gives ")
        units.append(int(unit))
        values.append(float(value))
    assert len(set(units)) == 6 and values == sorted(values, reverse=True)
    np.testing.assert_allclose(values, responses[units], atol=0.15)  # int8 weights, one decimal
    assert min(values) > responses.sort().values[-9] - 0.15


# ---- other pictures than those drawn here -------------------------------------------------------


def test_it_reads_small_writing(show):
    """One way to write each digit; test_recognition.py has all, in full size."""
    page = show()
    right = 0
    for digit, ways in STROKES.items():
        clear(page)
        draw(page.locator(".cw-draw"), ways[0], box=(0.5, 0.2, 0.85, 0.55))
        right += probabilities(page).argmax() == digit
    assert right >= 9


# ---- in step with Python ------------------------------------------------------------------------


def set_from_python(page, picture, example=-1):
    """What the front end sees when Python sets both traits."""
    page.evaluate(
        """([pixels, example]) => {
          model.set("image", new DataView(Uint8Array.from(pixels).buffer));
          model.set("example", example);
          calls.splice(0);
        }""",
        [np.ravel(picture).tolist(), example],
    )
    page.wait_for_timeout(100)


def test_an_image_set_in_python_is_shown(show, digits):
    page = show()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[8][0])
    set_from_python(page, digits[0][77])
    assert (image(page) == digits[0][77]).all() and said(page).startswith("The net says")
    assert page.get_by_role("button", name="Undo stroke").is_disabled()
    assert calls(page) == []  # no echo
    set_from_python(page, digits[0][4003], 3)
    assert page.locator("[aria-pressed=true]").count() == 1
    assert said(page).endswith(f"labelled {digits[1][4003]}.")


def test_two_views_of_one_model(show):
    page = show()
    page.evaluate("show('two')")
    views = page.locator(".dd")
    assert views.count() == 2
    draw_with_mouse(page, views.nth(1).locator(".cw-draw"), STROKES[5][1])
    page.wait_for_timeout(100)
    first, second = (np.array(v.evaluate("root => [...root.drawDigit.image]")) for v in views.all())
    assert (first == second).all() and first.sum() > 0
    assert calls(page) == SENT
    draw_with_mouse(page, views.nth(0).locator(".cw-draw"), STROKES[1][0])
    page.wait_for_timeout(100)
    first, second = (np.array(v.evaluate("root => [...root.drawDigit.image]")) for v in views.all())
    assert (first == second).all()
    assert page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"
    ) == (page.evaluate("document.querySelectorAll('[id]').length"))


def test_pictures_the_browser_cannot_unpack(open_widget, widget, digits):
    near = {"neighbours": digits[0][:9], "neighbour_labels": digits[1][:9]}
    broken = DrawDigit(widget._model, digits[0][:2], digits[1][:2], **near)
    broken._neighbours = b"not zlib"
    page = open_widget(broken)
    page.get_by_text("Nearest training digits").click()
    page.get_by_text("cannot unpack").wait_for()


def test_without_neighbours_there_is_no_such_section(open_widget, widget, digits):
    page = open_widget(DrawDigit(widget._model, digits[0][:1], digits[1][:1]))
    page.wait_for_selector("[data-cw-ready]")
    assert page.get_by_text("Nearest training digits").count() == 0


# ---- for every reader ---------------------------------------------------------------------------


def test_a_drawing_and_an_empty_area_are_accessible(show):
    page = show()
    draw_with_mouse(page, page.locator(".cw-draw"), STROKES[4][0])
    assert_accessible(page)
    clear(page)
    assert_accessible(page)


def test_focus_can_be_seen(show):
    page = show()
    page.keyboard.press("Tab")
    assert page.locator(".cw-draw").evaluate("e => e === document.activeElement")
    assert page.locator(".cw-draw").evaluate("e => getComputedStyle(e).outlineWidth") == "3px"


def test_nothing_moves_by_itself_if_the_reader_asks_for_that(show):
    page = show(reduced_motion="reduce")
    duration = page.locator(".dd-fill").first.evaluate(
        "e => getComputedStyle(e).transitionDuration"
    )
    assert duration in ("0s", "")


# ---- speed --------------------------------------------------------------------------------------


@pytest.mark.alone
def test_a_redraw_fits_into_a_frame(open_widget, digits):
    """Median of forward pass and redraw with everything open, of at most 16 ms."""
    sizes = (784, 1000, 1000, 10)
    layers = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.ReLU())][:-1]
    images, labels = digits[0][:600], digits[1][:600]
    near = {"neighbours": images, "neighbour_labels": labels}
    page = open_widget(DrawDigit(nn.Sequential(*layers), images[:20], labels[:20], **near))
    for summary in page.locator("summary").all():
        summary.click()
    page.get_by_text("Of 600 training digits").wait_for()
    page.evaluate("scrollTo(0, 0)")  # the drawing area may have left the window
    area = page.locator(".cw-draw").bounding_box()
    times = []
    page.mouse.move(area["x"] + 20, area["y"] + 20)
    page.mouse.down()
    for k in range(60):
        page.mouse.move(area["x"] + 20 + 4 * k, area["y"] + 100 + 60 * (-1) ** k)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        times.append(float(page.locator(".dd").get_attribute("data-ms")))
    page.mouse.up()
    print(f"median {statistics.median(times[10:]):.1f} ms")
    assert statistics.median(times[10:]) <= 16
