"""Building the book: what works is never lost, and a chapter without outputs is no obstacle."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from book import build as building
from tests import book

WRITES = """import pathlib, sys
html = pathlib.Path(sys.argv[sys.argv.index("--path-output") + 1], "_build", "html")
html.mkdir(parents=True)
(html / "index.html").write_text("new")
sys.exit({code})"""


@pytest.mark.parametrize("code, found", [(0, "new"), (1, "old")])
def test_a_book_is_replaced_only_when_the_new_one_stands(tmp_path, monkeypatch, code, found):
    monkeypatch.setattr(building, "ROOT", tmp_path)
    monkeypatch.setattr(building, "HTML", tmp_path / "_build" / "html")
    monkeypatch.setattr(building, "NEW", tmp_path / "_build" / "new")
    building.HTML.mkdir(parents=True)
    (building.HTML / "index.html").write_text("old")
    run = building.build([sys.executable, "-c", WRITES.format(code=code)])
    assert run.returncode == code
    assert (building.HTML / "index.html").read_text() == found


def test_make_calls_every_tool_through_python():
    """So that an environment works in a folder that was renamed."""
    makefile = (book.ROOT / "Makefile").read_text(encoding="utf8")
    tools = re.findall(r"(?:\$\((?:BOOK|FULL|1|env)\)|\.venv[\w-]*)/bin/([\w-]+)", makefile)
    assert len(tools) > 5 and set(tools) == {"python"}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_rebuilds_an_environment_whose_python_is_gone(tmp_path):
    shutil.copy(book.ROOT / "Makefile", tmp_path)
    (tmp_path / "book").mkdir()
    lists = ("requirements.txt", "requirements-book.txt", "constraints.txt")
    for name in (*lists, "book/jupyter_config.json"):  # what an environment is made from
        (tmp_path / name).touch()
    for name, target in ((".venv-book", "/nowhere/python"), (".venv", sys.executable)):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").symlink_to(target)
        (tmp_path / name / "installed").touch()
    command = ["make", "--dry-run", "book", "test-fast"]
    plan = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "-m venv .venv-book\n" in plan and "-m venv .venv\n" not in plan
    (tmp_path / ".venv" / "installed").unlink()
    plan = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "cp book/jupyter_config.json .venv/etc/jupyter" in plan


@pytest.mark.slow
def test_a_chapter_whose_outputs_were_cleared_has_a_row_that_says_so(tmp_path, monkeypatch):
    from sphinx.application import Sphinx

    monkeypatch.syspath_prepend(str(book.ROOT / "book"))
    import course_book

    page = book.chapter_pages()[0]
    notebook = nbformat.read(book.ROOT / f"{page}.ipynb", 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    (tmp_path / "chapters" / "images").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / f"{page}.ipynb")
    picture = f"chapters/images/{page.removeprefix('chapters/')}.png"
    shutil.copy(book.ROOT / picture, tmp_path / picture)
    (tmp_path / "index.md").write_text(
        f"# Results\n\n```{{toctree}}\n{page}\n```\n\n"
        "```{course-results}\n```\n\n```{course-figure} 01\n```\n"
    )
    monkeypatch.setattr(course_book, "ROOT", tmp_path)
    settings = {
        "extensions": ["myst_nb", "course_book"],
        "nb_execution_mode": "off",
        "myst_enable_extensions": ["amsmath", "colon_fence", "deflist", "dollarmath"],
    }
    html = tmp_path / "html"
    quiet = {"status": None, "warning": None}
    Sphinx(tmp_path, None, html, tmp_path / "trees", "html", settings, **quiet).build()
    index = (html / "index.html").read_text(encoding="utf8")
    assert course_book.NO_RESULTS in index and "once its chapter has been run" in index
    opening = (html / f"{page}.html").read_text(encoding="utf8")
    assert picture.split("/")[-1] in opening and "course-widget" not in opening


@pytest.mark.slow
@pytest.mark.parametrize("way", ["by the setting", "by the options"])
def test_nbconvert_shows_each_figure_as_its_picture(way, tmp_path):
    path = book.ROOT / f"{book.chapter_pages()[1]}.ipynb"
    options, settings = "--to html", {"JUPYTER_CONFIG_PATH": str(book.ROOT / "book")}
    if way == "by the options":
        text = (book.ROOT / "chapters" / "how_to_run.md").read_text(encoding="utf8")
        options, settings = re.search(r"nbconvert (--to html \\\n.*?)```", text, re.S)[1], {}
    command = [sys.executable, "-m", "nbconvert", *options.replace("\\", "").split()]
    environment = os.environ | settings
    command += ["--output-dir", str(tmp_path), str(path)]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    (converted,) = tmp_path.glob("*.html")
    text = converted.read_text(encoding="utf8")
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", [])]
    pictures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    figures = [
        o for o in outputs if "application/vnd.jupyter.widget-view+json" in o.get("data", {})
    ]
    assert figures and all("image/png" in figure.data for figure in figures)
    assert all(picture.split("\n")[0] in text for picture in pictures)
    assert '"model_id"' not in text  # no view that would wait for a script from elsewhere
