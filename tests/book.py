"""The built book for the tests that look at it; built when it is missing or out of date."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml

from book.build import HTML, ROOT, build

SOURCES = ("_config.yml", "_toc.yml", "intro.md", "references.bib", "chapters", "book")


def pages() -> list[str]:
    """Return the pages' names without ".html", as _toc.yml lists them, and those Sphinx adds."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [toc["root"], *files, "search", "genindex"]


def chapter_pages() -> list[str]:
    """Return the pages that are chapters."""
    return [page for page in pages() if page.startswith("chapters/0")]


@functools.cache
def built() -> Path:
    """Return the folder of the built book; build it first if it is missing or out of date."""
    paths = [ROOT / name for name in SOURCES]
    files = [f for p in paths for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file()]
    newest = max(f.stat().st_mtime for f in files if "__pycache__" not in f.parts)
    index = HTML / "index.html"  # the last file that a build writes
    if not index.exists() or index.stat().st_mtime < newest:
        run = build(capture_output=True, text=True)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return HTML
