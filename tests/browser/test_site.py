"""The built book in headless Chromium, with every request to another host refused.

The picture in the README is made here, too:

    COURSE_SCREENSHOT=1 python -m pytest tests/browser/test_site.py -k screenshot
"""

import os
import time

import pytest

from tests import book

CHAPTER = "chapters/01_softmax_classifier"
PHONE = {"width": 390, "height": 844}
READY = '.course-widget[data-state="ready"]'
# One string per canvas of the first widget: differs when a pixel differs.
PIXELS = """() => [...document.querySelectorAll(".course-widget canvas")].map(c => c.toDataURL())"""


@pytest.fixture(scope="module")
def site(serve):
    """The address of the built book."""
    with serve(book.built()) as url:
        yield url


@pytest.fixture
def chapter(site, open_page):
    """Chapter 1, with its first widget in view and running."""

    def open_chapter(**options):
        page, net = open_page(**options)
        page.goto(f"{site}/{CHAPTER}.html#widget-01")
        page.wait_for_selector(READY)
        return page, net

    return open_chapter


def test_the_first_page_leads_to_the_landing_page(site, open_page):
    page, net = open_page()
    page.goto(f"{site}/index.html")
    page.wait_for_url("**/intro.html")
    page.get_by_role("link", name="Start with chapter 1").click()
    page.wait_for_url(f"**/{CHAPTER}.html")
    net.assert_clean()


def test_search_finds_a_word(site, open_page):
    page, net = open_page()
    page.goto(f"{site}/search.html?q=softmax")
    page.wait_for_selector("#search-results li a")
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
    assert any(f"{CHAPTER}.html" in address for address in found)
    net.assert_clean()


def test_dark_mode_toggle(site, open_page):
    page, net = open_page(color_scheme="light")
    page.goto(f"{site}/intro.html")
    button = page.locator(".theme-switch-button:visible").first
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {page.evaluate("document.documentElement.dataset.theme"): page.evaluate(ground)}
    for _ in range(2):  # the button goes round three states: system, light, dark
        button.click()
        seen[page.evaluate("document.documentElement.dataset.theme")] = page.evaluate(ground)
    assert set(seen) == {"light", "dark"}
    assert seen["light"] != seen["dark"]
    net.assert_clean()


@pytest.mark.alone
def test_first_widget_is_ready_within_a_second(site, open_page):
    page, _ = open_page()
    page.add_init_script(
        """addEventListener("DOMContentLoaded", () => {
            const slot = document.querySelector(".course-widget");
            new MutationObserver(() => {
                if (slot.dataset.state === "ready") window.readyAt ??= performance.now();
            }).observe(slot, { attributes: true });
        });"""
    )
    page.goto(f"{site}/{CHAPTER}.html#widget-01", wait_until="load")
    ready = page.wait_for_function("window.readyAt").json_value()
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert ready - loaded <= 1000, f"{ready - loaded:.0f} ms after the page was loaded"


def test_picture_gives_way_to_the_widget(chapter):
    page, net = chapter()
    assert not page.locator(".course-poster img").first.is_visible()
    assert page.locator(f"{READY} canvas").first.is_visible()
    net.assert_clean()


def test_drawing_with_the_mouse_changes_the_picture(chapter):
    page, net = chapter()
    area = page.locator(f"{READY} canvas").first
    area.scroll_into_view_if_needed()
    before = page.evaluate(PIXELS)
    box = area.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.8, steps=12)
    page.mouse.up()
    page.wait_for_function("before => document.querySelector('.course-widget canvas')"
                           ".toDataURL() !== before", arg=before[0])  # fmt: skip
    net.assert_clean()


def test_the_keyboard_reaches_and_moves_the_widget(chapter):
    page, net = chapter()
    before = page.evaluate(PIXELS)
    page.locator(f"{READY} [tabindex='0'], {READY} input, {READY} button").first.focus()
    for key in (" ", *["ArrowDown"] * 12, " "):
        page.keyboard.press(key)
        time.sleep(0.02)  # a frame
    assert page.evaluate("document.activeElement.closest('.course-widget') !== null")
    assert page.evaluate(PIXELS) != before
    net.assert_clean()


def test_without_javascript_there_is_a_picture(site, open_page):
    page, net = open_page(java_script_enabled=False)
    page.goto(f"{site}/{CHAPTER}.html")
    picture = page.locator(".course-poster img").first
    picture.scroll_into_view_if_needed()
    assert picture.is_visible()
    assert len(picture.get_attribute("alt")) > 20
    assert page.locator(".course-poster .course-note").first.is_visible()
    net.assert_clean()


@pytest.mark.parametrize("fault", ["module", "script"])
def test_if_a_widget_fails_its_picture_stays(site, open_page, fault):
    page, net = open_page()

    def break_it(route):
        if fault == "script":
            route.abort()
        else:
            answer = route.fetch()
            text = answer.text().replace('"_esm": "', '"_esm": "throw new Error(); ')
            route.fulfill(response=answer, body=text)

    page.route("**/course/widgets.js*" if fault == "script" else f"**/{CHAPTER}.html", break_it)
    page.goto(f"{site}/{CHAPTER}.html#widget-01")
    if fault == "module":
        page.wait_for_selector('.course-widget[data-state="failed"]')
        assert any("could not start" in text for text in net.console_errors)
    picture = page.locator(".course-poster img").first
    picture.scroll_into_view_if_needed()
    assert picture.is_visible()


def test_formulas_are_typeset(site, open_page):
    page, net = open_page(viewport=PHONE)
    page.goto(f"{site}/{CHAPTER}.html")
    page.wait_for_selector("mjx-container")
    page.wait_for_function(
        "document.querySelectorAll('.math:not(:has(mjx-container))').length === 0"
    )
    assert page.locator("mjx-merror").count() == 0
    # What is wider than a phone scrolls inside its own box, with the keyboard, too.
    wide = page.evaluate(
        """() => [...document.querySelectorAll("div.math")]
                   .filter(m => m.scrollWidth > m.clientWidth + 1 && m.tabIndex !== 0).length"""
    )
    assert wide == 0
    net.assert_clean()


@pytest.mark.skipif("COURSE_SCREENSHOT" not in os.environ, reason="only by request")
def test_screenshot_for_the_readme(chapter):
    page, net = chapter(viewport={"width": 1440, "height": 860}, reduced_motion="reduce")
    page.evaluate("document.querySelector('.course-widget').scrollIntoView()")
    box = page.locator(f"{READY} canvas").first.bounding_box()
    seven = [(0.27, 0.22), (0.5, 0.2), (0.74, 0.21), (0.62, 0.45), (0.52, 0.64), (0.46, 0.84)]
    for step, (x, y) in enumerate(seven):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        if step == 0:
            page.mouse.down()
    page.mouse.up()
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)  # the last frame
    page.screenshot(path=book.ROOT / "book" / "screenshot.png")
    net.assert_clean()
