"""Every link of the built book leads somewhere, and no page needs another host."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml

from tests import book

ROOT = book.ROOT
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
REPOSITORY = CONFIG["repository"]["url"].rstrip("/")
BRANCH = CONFIG["repository"]["branch"]
OWNER_AND_NAME = urlsplit(REPOSITORY).path.strip("/")
PAGE_LIMIT = 900_000  # bytes of a page with its widgets' state, gzipped


class Page(HTMLParser):
    """What a page links to, loads, and can be linked to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loads, self.ids, self.images = [], [], set(), []
        self.feed(path.read_text(encoding="utf8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.update(v for k, v in attributes.items() if k in ("id", "name") and v)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "link" and attributes.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(attributes["href"])
        if tag in ("script", "img", "iframe", "source", "audio", "video") and attributes.get("src"):
            self.loads.append(attributes["src"])
        if tag == "img":
            self.images.append(attributes)


@pytest.fixture(scope="module")
def site():
    """All pages of the book: path relative to the site -> Page."""
    html = book.built()
    files = [p for p in html.rglob("*.html") if "_static" not in p.parts]
    return {p.relative_to(html).as_posix(): Page(p) for p in files}


def tree_path(address: str) -> str | None:
    """Return the file or folder in the tree that a Colab, Binder or GitHub address opens."""
    parts = urlsplit(address)
    path = unquote(parts.path).strip("/")
    if parts.netloc == "colab.research.google.com":
        start = f"github/{OWNER_AND_NAME}/blob/{BRANCH}/"
    elif parts.netloc == "mybinder.org":
        assert path == f"v2/gh/{OWNER_AND_NAME}/{BRANCH}", address
        return parse_qs(parts.query)["urlpath"][0].removeprefix("lab/tree/")
    elif address.startswith(REPOSITORY):
        if path in (OWNER_AND_NAME, f"{OWNER_AND_NAME}/issues", f"{OWNER_AND_NAME}/issues/new"):
            return "."
        start = f"{OWNER_AND_NAME}/{'tree' if '/tree/' in path else 'blob'}/{BRANCH}/"
    else:
        return None
    assert path.startswith(start), f"not an address of this repository: {address}"
    return path.removeprefix(start)


def test_pages_of_the_contents_are_built(site):
    assert {f"{page}.html" for page in book.pages()} <= set(site)


def test_internal_links_and_anchors(site):
    broken = []
    for name, page in site.items():
        for link in page.links + page.loads:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            target, anchor = urldefrag(urljoin(name, link))
            target = unquote(target.split("?")[0]) or name
            if not (book.HTML / target).is_file():
                broken.append(f"{name}: {link}")
            elif anchor and target in site and unquote(anchor) not in site[target].ids:
                broken.append(f"{name}: {link} (no such anchor)")
    assert broken == []


def test_each_chapter_leads_to_the_next(site):
    names = [f"{page.split('/')[1]}.html" for page in book.chapter_pages()]
    for here, following in zip(names, names[1:]):
        text = (book.HTML / "chapters" / here).read_text(encoding="utf8")
        assert re.search(rf'class="right-next"\s+href="{following}"', text), here
        # once more there, and in the list of contents; the others are the chapter's own words
        assert site[f"chapters/{here}"].links.count(following) >= 3, here


def test_nothing_is_loaded_from_another_host(site):
    for name, page in site.items():
        outside = [a for a in page.loads if urlsplit(a).netloc]
        assert outside == [], name


def test_launch_addresses_lead_to_files(site):
    for page in book.chapter_pages():
        opened = [path for path in map(tree_path, site[f"{page}.html"].links) if path is not None]
        assert opened.count(f"{page}.ipynb") >= 2, f"{page}: no Colab or no Binder button"
        for path in opened:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("file", ["README.md", *(f"{p}.ipynb" for p in book.chapter_pages())])
def test_addresses_in_the_sources_lead_to_files(file):
    text = (ROOT / file).read_text(encoding="utf8")
    addresses = re.findall(r"https://[^\s)\"'<>\\`]+", text)
    hosts = {"colab.research.google.com", "mybinder.org"}
    for address in addresses:
        if urlsplit(address).netloc in hosts or address.startswith(REPOSITORY + "/"):
            path = tree_path(address.removesuffix(".git"))
            assert (ROOT / path).exists(), address


def test_relative_links_of_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_images_have_alternative_text(site):
    for name, page in site.items():
        # alt="" says "decoration"; only no alt at all, or a file name for one, is an error.
        bad = [i["src"] for i in page.images if not isinstance(i.get("alt"), str) or
               re.search(r"\.(png|svg|jpe?g)$", i["alt"])]  # fmt: skip
        assert bad == [], name


def test_pages_have_a_title_and_a_description(site):
    for page in book.pages()[:-2]:
        text = (book.HTML / f"{page}.html").read_text(encoding="utf8")
        assert re.search(r"<title>[^<]{5,}</title>", text), page
        assert re.search(r'<meta content="[^"]{20,}" (?:lang="en" )?name="description"', text), page


@pytest.mark.parametrize("page", ["intro", *book.chapter_pages()])
def test_size_of_a_page(page):
    size = len(gzip.compress((book.built() / f"{page}.html").read_bytes()))
    assert size <= PAGE_LIMIT, f"{page}: {size:,} bytes gzipped"


def test_mathjax_is_part_of_the_site():
    mathjax = book.built() / "_static" / "mathjax"
    size = sum(f.stat().st_size for f in mathjax.rglob("*") if f.is_file())
    assert (mathjax / "tex-mml-chtml.js").is_file()
    assert list(mathjax.rglob("boldsymbol.js"))
    assert 1e6 < size < 3e6


def test_nothing_of_thebe_is_left(site):
    for name in site:
        assert "thebe" not in (book.HTML / name).read_text(encoding="utf8").lower(), name
