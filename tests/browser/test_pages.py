"""What a reader sees of each page of the built book, on a phone, a tablet and a laptop.

Each page is loaded once; then only the window changes its width.
"""

import pytest

from tests import book

WIDTHS = (320, 390, 768, 1280)  # CSS pixels

# Each picture's drawn ratio over its natural one, without padding and borders.
RATIOS = """() => [...document.images].filter((i) => i.checkVisibility()).map((i) => {
    const style = getComputedStyle(i);
    const inner = (size, ...sides) =>
      sides.reduce((rest, s) => rest - parseFloat(style[`padding${s}`]) -
        parseFloat(style[`border${s}Width`]), size);
    const box = i.getBoundingClientRect();
    const drawn = inner(box.width, "Left", "Right") / inner(box.height, "Top", "Bottom");
    return [i.src.split("/").pop(), drawn * i.naturalHeight / i.naturalWidth];
})"""


@pytest.fixture(scope="module")
def site(serve):
    """The address of the built book."""
    with serve(book.built()) as url:
        yield url


@pytest.fixture(scope="module")
def looks(site, browser):
    """`looks(name)`: what is measured of a page, by width. Each page is loaded once for all tests."""
    page = browser.new_page(reduced_motion="reduce")
    seen = {}

    def looks(name):
        if name not in seen:
            page.set_viewport_size({"width": WIDTHS[-1], "height": 900})
            page.goto(f"{site}/{name}.html", wait_until="load")
            seen[name] = {}
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                seen[name][width] = {"ratios": page.evaluate(RATIOS)}
        return seen[name]

    yield looks
    page.close()


@pytest.mark.parametrize("name", book.pages())
def test_no_picture_is_distorted(looks, name):
    for width, look in looks(name).items():
        wrong = [(file, ratio) for file, ratio in look["ratios"] if not 0.98 < ratio < 1.02]
        assert wrong == [], f"at {width} px"
