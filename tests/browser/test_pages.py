"""What a reader sees of each page of the built book, on a phone, a tablet and a laptop.

Each page is loaded once; then only the window changes its width, and its colours.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import book

FIRST = ".course-widget >> nth=0"
OPENINGS = ["intro", *book.chapter_pages()]  # the pages that open with a live figure
WIDTHS = (320, 390, 768, 1280)  # CSS pixels

# Each picture's drawn ratio over its natural one, without padding and borders; not where the page
# shows a part of it ("cover").
RATIOS = """() => [...document.images].filter((i) =>
    i.checkVisibility() && getComputedStyle(i).objectFit !== "cover").map((i) => {
    const style = getComputedStyle(i);
    const inner = (size, ...sides) =>
      sides.reduce((rest, s) => rest - parseFloat(style[`padding${s}`]) -
        parseFloat(style[`border${s}Width`]), size);
    const box = i.getBoundingClientRect();
    const drawn = inner(box.width, "Left", "Right") / inner(box.height, "Top", "Bottom");
    return [i.src.split("/").pop(), drawn * i.naturalHeight / i.naturalWidth];
})"""

# What is wider than its box: [what, how it is shown]. Not what is inside an interactive figure.
WIDE = """() => [...document.querySelectorAll(".bd-main *")].filter((e) =>
    e.clientWidth && e.scrollWidth > e.clientWidth + 4 && e.checkVisibility() &&
    !e.closest(".course-widget, mjx-container") && getComputedStyle(e).display !== "inline"
  ).map((e) => {
    const flow = getComputedStyle(e).overflowX;
    const what = `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 60)}`;
    const says = e.tabIndex === 0 && e.classList.contains("course-more");
    return [what, flow === "visible" ? "all" : flow !== "auto" ? "cut" : says ? "scrolls" : "mute"];
})"""


@pytest.fixture(scope="module")
def site(serve):
    """The address of the built book."""
    with serve(book.built()) as url:
        yield url


# Notes when the page's first figure is ready.
READY = """addEventListener("DOMContentLoaded", () => {
    const slot = document.querySelector(".course-widget");
    if (slot) new MutationObserver(() => {
        if (slot.dataset.state === "ready") window.readyAt ??= performance.now();
    }).observe(slot, { attributes: true });
})"""

# The first figure: milliseconds from the page's load until it was ready, and what stands there.
OPENING = """() => {
    const [first, ...others] = document.querySelectorAll(".course-widget");
    return {
        wait: readyAt - performance.getEntriesByType("navigation")[0].loadEventEnd,
        picture: first.querySelector(".course-poster img").checkVisibility(),
        again: others.some((slot) => slot.dataset.model === first.dataset.model),
    };
}"""

# To the end in steps, so that every figure starts, and back to the top.
SCROLL = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
        scrollTo(0, y);
        await new Promise(requestAnimationFrame);
    }
    scrollTo(0, 0);
}"""
STARTED = """() => [...document.querySelectorAll('.course-widget[data-model]')]
    .every((slot) => ['ready', 'failed'].includes(slot.dataset.state))"""

# Only one word of code of each colour, and three formulas: axe-core takes minutes for thousands.
ONE_OF_EACH = """() => {
    for (const formula of [...document.querySelectorAll("mjx-container")].slice(3)) {
        formula.replaceChildren("x");
    }
    const seen = new Set();
    for (const word of document.querySelectorAll("pre span")) {
        if (word.childElementCount) continue;
        const colours = word.className + word.closest("div[class]").className;
        if (seen.has(colours)) word.replaceWith(word.textContent);
        seen.add(colours);
    }
    for (const code of document.querySelectorAll("pre")) code.normalize();
}"""

# And only three blocks of each kind, for the colours: alike in name, place and what they hold.
THREE_OF_EACH = """() => {
    const seen = {};
    const name = (e) => `${e.tagName}.${e.className}`;
    for (const e of document.querySelectorAll("main :is(p, li, tr, pre, summary)")) {
        if (e.closest(".course-widget")) continue;
        const kind = [e.parentElement, e, ...e.querySelectorAll("*")].map(name).join();
        seen[kind] = (seen[kind] ?? 0) + 1;
        if (seen[kind] > 3) e.remove();
    }
}"""


def violations(page, **options) -> list[str]:
    # Without "preload": axe would fetch style sheets again, from wrong addresses.
    report = Axe().run(page, options={"preload": False, "resultTypes": ["violations"], **options})
    return [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]} ({len(v['nodes'])} places)"
        for v in report.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", book.pages())
def test_page(site, open_page, name):
    """Nothing is distorted, cut off, wide, double or unreadable; nothing is asked of other hosts.

    It opens with its live figure, soon, in place of the picture.
    """
    wide = {"width": WIDTHS[-1], "height": 900}
    page, net = open_page(viewport=wide, color_scheme="light", reduced_motion="reduce")
    page.add_init_script(READY)
    page.goto(f"{site}/{name}.html", wait_until="load")
    if name in OPENINGS:
        page.wait_for_function("window.readyAt")
        opening = page.evaluate(OPENING)
        print(f"{name}: {opening['wait']:.0f} ms")
        assert opening["wait"] <= 3000
        assert not opening["picture"]
        assert opening["again"] or name == "intro"
    page.evaluate(SCROLL)
    page.wait_for_function(STARTED)
    page.wait_for_function(
        "document.querySelectorAll('.math:not(:has(mjx-container))').length === 0"
    )
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    faults = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("new Promise(requestAnimationFrame).then(() => 0)")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        found = [row for row in page.evaluate(RATIOS) if not 0.98 < row[1] < 1.02]
        found += [what for what, how in page.evaluate(WIDE) if how in ("cut", "mute")]
        if found:
            faults[width] = found
    page.evaluate(ONE_OF_EACH)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if found := violations(page, rules={"color-contrast": {"enabled": False}}):
            faults["accessibility", width] = found
    page.evaluate(THREE_OF_EACH)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        if found := violations(page, runOnly=["color-contrast"]):
            faults[scheme] = found
    assert faults == {}
    net.assert_clean()


@pytest.mark.parametrize("place", [".cell_input", ".cell_output .stream"])
def test_eighty_columns_need_no_scrollbar_on_a_laptop(site, open_page, place):
    page, _ = open_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{site}/{book.chapter_pages()[0]}.html")
    beyond = "p => { p.textContent = 'x'.repeat(80); return p.scrollWidth - p.clientWidth }"
    assert page.locator(f"{place} pre").first.evaluate(beyond) <= 0


def test_both_views_of_a_figure_stay_in_step(site, open_page):
    page, net = open_page()
    page.goto(f"{site}/{book.chapter_pages()[0]}.html#the-result-first")
    model = page.locator(".course-widget").first.get_attribute("data-model")
    views = f'.course-widget[data-model="{model}"]'
    for n in (0, 1):  # each starts when it is near
        page.locator(views).nth(n).scroll_into_view_if_needed()
        page.wait_for_selector(f'{views}[data-state="ready"] >> nth={n}')
    pixels = f"() => [...document.querySelectorAll('{views}')].map((slot) => "
    pixels += "slot.querySelector('canvas').toDataURL())"
    before = page.evaluate(pixels)
    page.locator(views).nth(0).get_by_role("button", name="Next test digit").click()
    page.wait_for_function(
        f"before => ({pixels})().every((picture, i) => picture !== before[i])", arg=before
    )
    net.assert_clean()


def test_on_paper_a_figure_is_its_picture_and_nothing_is_folded(site, open_page):
    page, net = open_page(viewport={"width": 794, "height": 1123})  # A4
    page.goto(f"{site}/{book.chapter_pages()[0]}.html#the-result-first")
    page.wait_for_selector('.course-widget[data-state="ready"]')
    page.emulate_media(media="print")
    assert page.locator(f"{FIRST} >> .course-poster img").is_visible()
    assert not page.locator(f"{FIRST} >> canvas").first.is_visible()
    folded = page.locator(".bd-article details:not(.course-widget *) > :not(summary)")
    assert folded.count() and all(part.is_visible() for part in folded.all())
    net.assert_clean()


@pytest.mark.parametrize("words", ["Show the code", "Show solution"])
def test_a_keyboard_unfolds_code_and_solutions(site, open_page, words):
    page, net = open_page()
    page.goto(f"{site}/{book.chapter_pages()[0]}.html")
    folded = page.locator(".cell details", has_text=words).first
    code = folded.locator("pre").first
    assert not code.is_visible()
    assert folded.locator("summary").get_attribute("aria-label") is None  # its words are its name
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert code.is_visible()
    assert words.replace("Show", "Hide") in folded.locator("summary").inner_text()
    net.assert_clean()


STRANGE = "a | b < c & $d$ `e` *f* {math}`g` <b>h</b> " + "wordwithoutend" * 20


def test_a_strange_label_breaks_no_table_of_results(serve, open_page, tmp_path, monkeypatch):
    from sphinx.application import Sphinx

    row = {
        "metric": "m", "label": STRANGE, "mean": 0.5, "half_width": 0.1, "values": [0.4, 0.6],
        "seeds": 2, "expected": [0.1, 0.9], "baseline": {"name": "x | <y>", "value": 0.1},
        "anchor": {"name": "none | $z$", "cite": "", "value": None}, "unit": "", "better": "higher",
    }  # fmt: skip
    path = book.ROOT / f"{book.chapter_pages()[0]}.ipynb"
    record = {"chapter": "01", "run": "full", "results": [row], "title": "T", "path": path}
    monkeypatch.setattr("book.records.collect", lambda chapters: [record])
    monkeypatch.syspath_prepend(str(book.ROOT / "book"))
    (tmp_path / "index.md").write_text("# Results\n\n```{course-results}\n```\n")
    settings = {
        "extensions": ["myst_nb", "course_book"],
        "nb_execution_mode": "off",
        "html_theme": "sphinx_book_theme",
        "html_static_path": [str(book.ROOT / "book" / "static")],
        "html_css_files": ["book.css"],
        "html_js_files": ["course/page.js"],
    }
    html = tmp_path / "html"
    Sphinx(tmp_path, None, html, tmp_path / "trees", "html", settings, status=None).build()

    with serve(html) as url:
        page, _ = open_page()
        page.goto(f"{url}/index.html")
        cells = page.locator("table.course-results tbody tr td").all_inner_texts()
        assert cells[0].strip() == f"{STRANGE} ↑"
        assert len(cells) == 6 and cells[4].endswith("(x | <y>)") and cells[5] == "none | $z$"
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate(WIDE) == []  # at 1280 pixels even the table needs no scrolling
