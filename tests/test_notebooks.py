"""The command line for chapters: normal form, digests, reduced parameters, address, set-up cell."""

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book import notebooks

ROOT = notebooks.ROOT
CHAPTERS = notebooks.chapters()
PNG = base64.b64encode(b"a picture").decode()


def small(model="f00d" * 8):
    """A notebook as an executor leaves it: time stamps, random ids, progress bars."""
    code = new_code_cell(
        "f()",
        metadata={
            "tags": ["first-picture"],
            "execution": {"iopub.execute_input": "2026-01-01"},
        },
        execution_count=7,
        outputs=[
            new_output("stream", name="stdout", text="a"),
            new_output("stream", name="stdout", text="b\n"),
            new_output("stream", name="stderr", text="epochs:  50%|##  | 1/2 [00:01<00:01]\r"),
            new_output(
                "execute_result",
                {"image/png": PNG, notebooks.WIDGET_VIEW: {"model_id": model}},
                execution_count=7,
            ),
        ],
    )
    injected = new_code_cell("run = 'quick'", metadata={"tags": ["injected-parameters"]})
    hidden = [model[:-1] + k for k in "cab"]  # layouts and the like: in the state, without a view
    state = {i: {"state": {"of": f"IPY_MODEL_{model}"}} for i in hidden}
    state[model] = {"state": {"a": 1}}
    nb = new_notebook(cells=[new_markdown_cell("# T"), injected, code])
    nb.metadata["widgets"] = {notebooks.WIDGET_STATE: {"state": state, "version_major": 2}}
    nb.metadata["papermill"] = {"start_time": "now"}
    return nb


def committed(tmp_path):
    """A notebook in order, in a temporary folder; returns its path."""
    nb = small()
    nb.metadata["course"] = {
        "run": "full",
        "minutes": 1.0,
        "narrative_minutes": 0.5,
        "peak_memory_mb": 100,
    }
    path = tmp_path / "01_small.ipynb"
    notebooks._write_back(nb, path)
    return path


def test_normal_form_is_the_same_for_two_runs():
    one, two = (notebooks.normalise(small(m), "01_small") for m in ("f00d" * 8, "beef" * 8))
    assert nbformat.writes(one) == nbformat.writes(two)
    assert nbformat.writes(notebooks.normalise(one, "01_small")) == nbformat.writes(one)


def test_normal_form_keeps_what_counts():
    nb = notebooks.normalise(small(), "01_small")
    code = nb.cells[1]
    assert [c.cell_type for c in nb.cells] == ["markdown", "code"]
    assert code.execution_count == 1 and code.outputs[0].text == "ab\n"
    assert len(code.outputs) == 2 and "execution" not in code.metadata
    model = code.outputs[1].data[notebooks.WIDGET_VIEW]["model_id"]
    assert model in nb.metadata.widgets[notebooks.WIDGET_STATE]["state"]


def test_a_path_of_this_machine_is_refused():
    nb = small()
    nb.cells[2].outputs[0].text = f"saved to {ROOT}/chapters/x.png"
    with pytest.raises(ValueError, match="folder of this machine"):
        notebooks.normalise(nb, "01_small")


def test_notebook_in_order_has_no_problems(tmp_path):
    assert notebooks.problems(committed(tmp_path)) == []


def edit_code(nb):
    nb.cells[1].source = "g()"


def edit_output(nb):
    nb.cells[1].outputs[0].text = "better\n"


def drop_outputs(nb):
    nb.cells[1].outputs = []


def out_of_order(nb):
    nb.cells[1].execution_count = 3


def reduced(nb):
    nb.metadata.course.run = "quick"


def with_error(nb):
    nb.cells[1].outputs.append(new_output("error", ename="E", evalue="", traceback=[]))


def with_stamp(nb):
    nb.metadata["stamp"] = "now"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (edit_code, "code that changed"),
        (edit_output, "outputs that differ"),
        (drop_outputs, "outputs that differ"),
        (out_of_order, "in order"),
        (reduced, "full run"),
        (with_error, "error output"),
        (with_stamp, "normal form"),
    ],
)
def test_a_notebook_out_of_order_is_noticed(tmp_path, change, complaint):
    path = committed(tmp_path)
    nb = nbformat.read(path, 4)
    picture = notebooks.first_picture(nb)
    change(nb)
    notebooks.write(nb, path)
    if change is drop_outputs:
        with pytest.raises(ValueError, match="no picture"):
            notebooks.problems(path)
        nb.cells[1].outputs = [new_output("display_data", {"image/png": PNG})]
        notebooks.write(nb, path)
    assert notebooks.first_picture(nbformat.read(path, 4)) == picture
    assert any(complaint in p for p in notebooks.problems(path))


def test_an_edited_opening_picture_is_noticed(tmp_path):
    path = committed(tmp_path)
    notebooks.picture_path(path).write_bytes(b"another")
    assert any("picture" in p for p in notebooks.problems(path))


def test_comments_layout_and_the_division_into_cells_do_not_count_as_code():
    nb = new_notebook(cells=[new_code_cell("a = 1  # one\n\n\nb = 2"), new_code_cell("c = 3")])
    same = new_notebook(
        cells=[new_code_cell("a = 1"), new_code_cell("# two\nb = (\n    2\n)\nc = 3")]
    )
    assert notebooks.code_digest(nb) == notebooks.code_digest(same)
    for other in (
        "a = 2\nb = 2\nc = 3",
        "a = 1\nb = 2",
        "a = 1\nb = '2'\nc = 3",
        'a = 1\nb = 2\nc = 3\nd = "#fff"',
    ):
        changed = new_notebook(cells=[new_code_cell(other)])
        assert notebooks.code_digest(nb) != notebooks.code_digest(changed)


def test_results_in_an_outdated_form_are_noticed_and_shown_anew():
    path = notebooks.chapters(["01"])[0]
    nb = nbformat.read(path, 4)
    outputs = (o for c in nb.cells if c.cell_type == "code" for o in c.outputs)
    output = next(o for o in outputs if notebooks.results.MIME in o.get("data", {}))
    shown = output.data["text/html"]
    output.data["text/html"] = "an earlier form"
    nb.metadata.course.outputs_sha256 = notebooks.output_digest(nb)
    assert notebooks.refreshed(nb) and output.data["text/html"] == shown
    assert nb.metadata.course.outputs_sha256 == notebooks.output_digest(nb)
    assert not notebooks.refreshed(nb)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = committed(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        notebooks.write(small(), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_reduced_parameters_exist_in_the_chapter(path):
    assert notebooks.quick_parameters(path)["run"] == "quick"


def test_a_misspelt_reduced_parameter_is_refused(tmp_path, monkeypatch):
    table = tmp_path / "quick.yml"
    table.write_text(yaml.safe_dump({CHAPTERS[0].stem: {"epoch": 1}}))
    monkeypatch.setattr(notebooks, "QUICK", table)
    with pytest.raises(ValueError, match="no such parameter: epoch"):
        notebooks.quick_parameters(CHAPTERS[0])
    table.write_text("{}")
    with pytest.raises(ValueError, match="no entry"):
        notebooks.quick_parameters(CHAPTERS[0])


def test_an_unknown_chapter_is_refused():
    with pytest.raises(SystemExit, match="no such chapter: 77"):
        notebooks.chapters(["77"])


@pytest.fixture
def copy(tmp_path):
    """A copy of the tracked tree, with the working files' contents."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    target = tmp_path / "course"
    for name in filter(None, names.splitlines()):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def test_a_new_address_reaches_every_link_and_keeps_the_digests(copy, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", copy)
    monkeypatch.setattr(notebooks, "CHAPTERS", copy / "chapters")
    monkeypatch.setattr(notebooks, "SET_UP", copy / "book" / "set_up_cell.py")
    old = "OWNER/deep-learning-mnist-audio"
    assert notebooks.set_address("https://github.com/someone/fork.git")
    config = yaml.safe_load((copy / "_config.yml").read_text())
    assert config["repository"]["url"] == "https://github.com/someone/fork"
    for path in notebooks.chapters():
        text = path.read_text()
        assert old not in text and "colab.research.google.com/github/someone/fork/" in text
        nb = nbformat.read(path, 4)
        assert nb.metadata.course.code_sha256 == notebooks.code_digest(nb)
        assert not notebooks.with_shared_set_up(nb)
    assert old not in (copy / "README.md").read_text()
    with pytest.raises(SystemExit, match="not the address"):
        notebooks.set_address("javascript:alert(1)")


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    command = ["git", *identity, "-c", "init.defaultBranch=main", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))["repository"]["url"]
SET_UP = notebooks.SET_UP.read_text(encoding="utf8")
NAME = ADDRESS.rsplit("/", 1)[1]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_set_up_cell_is_the_same_everywhere(path):
    cell = notebooks.set_up_cell(nbformat.read(path, 4))
    assert cell.source == SET_UP.rstrip("\n"), "run 'python -m book.notebooks setup'"


def test_set_up_cell_names_the_repository_and_fits_the_page():
    assert f'REPOSITORY = "{ADDRESS}"\n' in SET_UP
    assert max(map(len, SET_UP.splitlines())) <= 80 and len(SET_UP.splitlines()) <= 45


def test_a_new_set_up_cell_renews_a_digest_only_where_it_was_right():
    old = 'REPOSITORY = "x"\nfetched = 1'
    for belongs in (True, False):
        nb = new_notebook(cells=[new_code_cell("a = 1"), new_code_cell(old)])
        nb.metadata["course"] = {"code_sha256": notebooks.code_digest(nb) if belongs else "another"}
        assert notebooks.with_shared_set_up(nb)
        assert (nb.metadata.course.code_sha256 == notebooks.code_digest(nb)) == belongs
        assert nb.cells[0].source == "a = 1" and nb.cells[1].source == SET_UP.rstrip("\n")
        assert not notebooks.with_shared_set_up(nb)
    with pytest.raises(ValueError, match="one set-up cell is needed, not 0"):
        notebooks.with_shared_set_up(new_notebook(cells=[new_code_cell("a = 1")]))


STANDS_IN = {  # for the course, where only its place matters
    "utils/__init__.py": "",
    "utils/runtime.py": "def versions(): return 'versions'\ndef install_missing(): return ['some']",
    "widgets/__init__.py": "",
    "widgets/base.py": "",
}


def course_in(folder, without=()):
    """Write a course that has no file but those that show it is one; returns its folder."""
    for name in set(STANDS_IN) - set(without):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(STANDS_IN[name])
    return folder


def run_set_up(folder, *, address="file:///nowhere/at/all", before="", **environment):
    """Run the set-up cell in ``folder``, in a process of its own; return the finished process.

    Its last line says which ``utils`` was imported; ``before`` is what ran earlier in the kernel.
    """
    ask = "\nimport utils; print(pathlib.Path(utils.__file__).parents[1])"
    given = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
    command = [sys.executable, "-c", before + SET_UP.replace(ADDRESS, address) + ask]
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True)


@pytest.mark.parametrize("place", ["", "chapters", "chapters/mine/deeper"])
def test_set_up_finds_the_course_around_the_notebook(tmp_path, place):
    course = course_in(tmp_path / "a course")
    (course / place).mkdir(parents=True, exist_ok=True)
    done = run_set_up(course / place)
    assert done.stdout.splitlines() == ["versions", str(course)], done.stderr


def test_set_up_finds_the_course_beside_a_notebook_that_was_moved(tmp_path):
    (tmp_path / "a").mkdir()
    course_in(tmp_path / NAME, without=["utils/runtime.py"])  # what an interruption left
    course = course_in(tmp_path / f"{NAME}-main")
    done = run_set_up(tmp_path)
    assert done.stdout.splitlines() == ["installed: ['some']", str(course)], done.stderr


@pytest.mark.parametrize(
    "before",
    [
        "import sys; sys.path.insert(0, 'mine'); import utils, utils.other, widgets\n",
        "import sys; sys.path.insert(0, 'mine')\n",
        "import sys, types; sys.modules['utils'] = types.ModuleType('utils')\n",
    ],
    ids=["imported", "on the path", "without a file"],
)
def test_set_up_replaces_another_package_named_utils(tmp_path, before):
    course = course_in(tmp_path / "course")
    for name in ("utils/__init__.py", "utils/other.py", "widgets.py"):
        (course / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (course / "mine" / name).touch()
    done = run_set_up(course, before=before + "import json\n")
    assert done.stdout.splitlines() == ["versions", str(course)], done.stderr


def test_set_up_keeps_the_courses_own_modules(tmp_path):
    """Running the cell again must not make a second copy of what the cells below use."""
    course = course_in(tmp_path)
    before = f"import sys; sys.path.insert(0, {str(course)!r}); from utils import runtime as old\n"
    ask = "\nprint(runtime is old)"
    command = [sys.executable, "-c", before + SET_UP + ask]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["versions", "True"], done.stderr


def without_git(tmp_path):
    (tmp_path / "no programs").mkdir()
    return {"PATH": str(tmp_path / "no programs")}


def with_a_dead_network(tmp_path):
    return {"address": "http://127.0.0.1:9/someone/course"}


def with_a_file_in_the_way(tmp_path):
    (tmp_path / "notebook" / NAME).write_text("")
    return {}


def with_half_a_course_in_the_way(tmp_path):
    course_in(tmp_path / "notebook" / NAME, without=["widgets/base.py"])
    return {}


@pytest.mark.parametrize(
    "fault, reason",
    [
        (without_git, "git cannot be started"),
        (with_a_dead_network, "unable to access"),
        (with_a_file_in_the_way, "already exists"),
        (with_half_a_course_in_the_way, "already exists and is not an empty directory"),
    ],
)
def test_set_up_says_in_a_sentence_why_it_cannot_fetch_the_course(tmp_path, fault, reason):
    folder = tmp_path / "notebook"
    folder.mkdir()
    done = run_set_up(folder, **fault(tmp_path), LC_ALL="C")
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"The course is not in {folder}, above it or in a folder of it")
    assert reason in done.stderr and "unpack it here, and run this cell again." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_set_up_fetches_the_course_where_there_is_none(tmp_path):
    origin = course_in(tmp_path / "origin")
    git(origin, "init")
    git(origin, "add", "--all")
    git(origin, "commit", "-m", "the course")
    (tmp_path / "notebook" / NAME).mkdir(parents=True)  # an earlier attempt left it empty
    for _ in range(2):  # the second run finds what the first one fetched
        done = run_set_up(tmp_path / "notebook", address=origin.as_uri())
        place = str(tmp_path / "notebook" / NAME)
        assert done.stdout.splitlines() == ["installed: ['some']", place], done.stderr


@pytest.mark.slow
def test_set_up_finds_this_course_from_its_chapters_and_without_dotfiles(copy):
    for name in [p for p in copy.iterdir() if p.name.startswith(".")]:
        shutil.rmtree(name) if name.is_dir() else name.unlink()
    done = run_set_up(copy / "chapters")
    assert done.stdout.startswith("Python 3") and done.stdout.endswith(f"{copy}\n"), done.stderr
    beside = run_set_up(copy.parent)
    assert beside.stdout.splitlines() == ["installed: []", str(copy)], beside.stderr


def test_readme_table_is_made_from_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    assert notebooks.readme(text) == text, "run 'python -m book.notebooks readme'"
    assert all(path.name in text for path in CHAPTERS)
