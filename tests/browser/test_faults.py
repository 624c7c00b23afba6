"""What people report of pages like these: blocked storage, narrow windows, late layout, paper, …"""

import pytest

from tests import book
from tests.browser import test_denoise
from tests.examples import EXAMPLES, example

CHAPTERS = {page.removeprefix("chapters/")[:2]: page for page in book.chapter_pages()}
PHONE = {"width": 390, "height": 844}
READY = '.course-widget[data-state="ready"]'


@pytest.fixture(scope="module")
def site(serve):
    """The address of the built book."""
    with serve(book.built()) as url:
        yield url


# ------------------------------------------------------------------------------------ no storage

BLOCKED = """for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, { configurable: true,
        get() { throw new DOMException("denied", "SecurityError"); } });"""


@pytest.mark.parametrize("how", ["blocked", "sandboxed"])
def test_theme_menu_and_search_need_no_storage(site, open_page, how):
    page, net = open_page(viewport=PHONE, color_scheme="light")
    address = f"{site}/{CHAPTERS['01']}.html"
    if how == "blocked":
        page.add_init_script(BLOCKED)
        page.goto(address)
        frame = page
    else:  # as a learning platform may show it
        page.goto(f"{site}/_static/documentation_options.js")  # any page of the same host
        page.set_content(
            f'<iframe sandbox="allow-scripts" style="width: 100%; height: 800px" src="{address}">'
        )
        frame = page.frame_locator("iframe")
    frame.locator(".course-widget").first.scroll_into_view_if_needed()
    frame.locator(READY).first.wait_for()
    root, button = frame.locator("html"), frame.locator(".theme-switch-button:visible").first
    seen = {root.get_attribute("data-theme")}
    for _ in range(2):
        button.click()
        seen.add(root.get_attribute("data-theme"))
    assert seen == {"light", "dark"}
    frame.locator(".search-button:visible").first.click()
    frame.locator("input[type=search]:visible").first.press("Escape")
    frame.locator(".primary-toggle:visible").first.click()
    frame.get_by_role("link", name="Glossary").first.wait_for()
    assert net.errors == [] and net.blocked == []


# ------------------------------------------------------------------------------------ microphone

ASK = "navigator.mediaDevices.getUserMedia"
NO_RECORDING = {
    "Object.defineProperty(window, 'isSecureContext', { value: false });": "needs https",
    "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });": "cannot record",
    f"{ASK} = async () => {{ throw new DOMException('no', 'NotAllowedError'); }};": "not allowed",
    f"{ASK} = async () => {{ throw new DOMException('', 'NotFoundError'); }};": "no microphone",
    f"{ASK} = async () => {{ throw new TypeError('Invalid constraint.'); }};": "broke off",
}


@pytest.mark.parametrize("fault", NO_RECORDING, ids=NO_RECORDING.values())
def test_why_there_is_no_recording_is_said_in_words(open_widget, fault):
    page = open_widget(test_denoise.make_widget())
    page.evaluate(f"{fault} 0")  # a function would be called
    page.get_by_role("button", name="Record my voice").click()
    page.wait_for_function("document.querySelector('.dn-status').textContent.includes('recording')")
    said = page.locator(".dn-status").inner_text()
    assert NO_RECORDING[fault] in said and "nvalid" not in said and "getUserMedia" not in said
    assert page.get_by_role("button", name="Record my voice").is_enabled()


def test_a_double_click_asks_for_the_microphone_once(open_widget):
    page = open_widget(test_denoise.make_widget())
    page.evaluate(f"window.asked = 0; {ASK} = () => new Promise(() => (window.asked += 1)); 0")
    page.get_by_role("button", name="Record my voice").dblclick()
    assert page.evaluate("asked") == 1
    assert page.get_by_role("button", name="Record my voice").is_disabled()


def test_no_nought_has_a_minus(open_widget):
    """At −0.02 dB the ratio of the noisy take comes out a trifle below nought."""
    page = open_widget(test_denoise.make_widget(snr=0.0))
    page.evaluate("model.set('snr', -0.02)")
    page.wait_for_function("document.querySelector('.cw-value').textContent.includes('0.02')")
    page.wait_for_function("document.querySelector('.sp-note').textContent === 'SI-SDR 0.0 dB'")


# --------------------------------------------------------------------------------- forced colours

# Each pair of a chosen and another element: what tells them apart where only outlines count.
EDGES = """() => [...document.querySelectorAll("#one [aria-pressed]")].map((e) => {
    const { borderTopWidth, borderTopStyle, borderTopColor } = getComputedStyle(e);
    const edge = [borderTopWidth, borderTopStyle, borderTopColor].join();
    return [e.getAttribute("aria-pressed"), edge];
})"""


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_with_forced_colours_what_is_chosen_has_a_border(open_widget, name):
    page = open_widget(example(name), forced_colors="active")
    for summary in page.locator("#one summary:visible").all():
        summary.click()
    toggles = page.locator("#one [aria-pressed]:visible")
    if not toggles.count():
        pytest.skip("nothing to choose with buttons")
    if not page.locator("#one [aria-pressed=true]").count():
        toggles.first.click()
    edges = page.evaluate(EDGES)
    chosen = {edge for pressed, edge in edges if pressed == "true"}
    assert len(chosen) == 1 and chosen.isdisjoint(edge for p, edge in edges if p != "true")


def test_with_forced_colours_the_true_label_is_framed(open_widget):
    page = open_widget(example("DrawDigit"), forced_colors="active")
    page.locator(".cw-thumbnail").first.click()
    edge = "e => getComputedStyle(e).borderTopColor"
    frames = page.locator(".dd-bars li .dd-name").evaluate_all(f"all => all.map({edge})")
    (framed,) = page.locator(".dd-label .dd-name").evaluate_all(f"all => all.map({edge})")
    assert frames.count(framed) == 1


# --------------------------------------------------------------------- narrow pages, late layout


@pytest.mark.parametrize("name", book.pages())
def test_no_sideways_scroll_at_320_pixels_without_hyphenation(site, open_page, name):
    """Not every browser has a dictionary: none has one for the language "xx"."""
    page, _ = open_page(viewport={"width": 320, "height": 700})
    page.goto(f"{site}/{name}.html", wait_until="load")
    page.evaluate("document.documentElement.lang = 'xx'")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("place", ["02#where-it-fails", "04#the-result-first"])
def test_a_deep_link_leads_to_its_place(site, open_page, place):
    number, anchor = place.split("#")
    page, _ = open_page()
    page.goto(f"{site}/{CHAPTERS[number]}.html#{anchor}", wait_until="load")
    page.wait_for_function(
        "document.querySelectorAll('.math:not(:has(mjx-container))').length === 0"
    )
    page.wait_for_selector(READY)
    page.evaluate("new Promise((done) => setTimeout(done, 500))")
    top = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= top <= 100
    page.mouse.wheel(0, 400)  # the reader is free to go
    page.wait_for_function("document.querySelector(':target').getBoundingClientRect().top < -200")


# ----------------------------------------------------------------------------------------- paper

CUT = """() => [...document.querySelectorAll(".bd-article pre")].filter((e) =>
    e.checkVisibility() && e.scrollWidth > e.clientWidth + 4
  ).map((e) => e.textContent.slice(0, 60))"""


@pytest.mark.parametrize("number", CHAPTERS)
def test_on_paper_code_is_wrapped_and_the_page_light(site, open_page, number):
    page, _ = open_page(viewport={"width": 660, "height": 1000}, color_scheme="dark")  # A4, margins
    page.goto(f"{site}/{CHAPTERS[number]}.html", wait_until="load")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    assert page.evaluate(CUT) == []
    assert page.evaluate(ground) != dark
    page.emulate_media(media="screen", color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert page.evaluate(ground) == dark
