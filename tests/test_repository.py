"""The repository's own promises: requirements, licences, workflows, commands."""

import ast
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import book

ROOT = book.ROOT
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ASKED_FOR = (
    "jupyter-book torch torchvision torchaudio librosa matplotlib ipywidgets nbval papermill"
)
# Where the name to import differs from the name to install.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow"}
# Come with matplotlib and with jupyter-book, which are nothing without them.
IMPLIED = {"pillow", "packaging", "docutils", "sphinx", "myst-nb"}


def requirements(file: str) -> dict[str, tuple[Requirement, str]]:
    """Return name -> (requirement, comment) of a requirements file, without included files."""
    found = {}
    for line in (ROOT / file).read_text(encoding="utf8").splitlines():
        text, _, comment = line.partition("#")
        if text.strip() and not text.startswith("-"):
            requirement = Requirement(text.strip())
            found[canonicalize_name(requirement.name)] = (requirement, comment.strip())
    return found


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf8")


def tracked() -> list[Path]:
    """Return the files that are, or would be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


# ---------------------------------------------------------------------------------- requirements


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-book.txt"])
def test_requirements_are_bounded_and_have_a_reason(file):
    for name, (requirement, comment) in requirements(file).items():
        operators = {s.operator for s in requirement.specifier}
        assert operators == {">=", "<"}, f"{name}: give a lower and an upper bound"
        assert len(comment) > 10, f"{name}: say why it is needed"


def test_requirements_hold_what_was_asked_for():
    everything = requirements("requirements.txt") | requirements("requirements-book.txt")
    assert set(ASKED_FOR.split()) <= set(everything)
    assert "-r requirements-book.txt" in read("requirements.txt")
    assert not any("torch" in name for name in requirements("requirements-book.txt"))


def test_constraints_are_exact_and_inside_the_ranges():
    exact = {}
    for name, (requirement, _) in requirements("constraints.txt").items():
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", name
        exact[name] = specifier.version
    everything = requirements("requirements.txt") | requirements("requirements-book.txt")
    for name, (requirement, _) in everything.items():
        assert requirement.specifier.contains(exact[name], prereleases=True), name


def test_binder_installs_no_more_than_the_course():
    assert set(requirements(".binder/requirements.txt")) <= set(requirements("requirements.txt"))


def test_binder_installs_no_less_than_the_chapters_import():
    """Whatever chapters, utils and widgets import or look for by name; Colab reads it, too."""
    own = {"utils", "widgets"} | {canonicalize_name(name) for name in sys.stdlib_module_names}
    folders = [ROOT / name for name in ("chapters", "utils", "widgets")]
    tops = {m.split(".")[0] for path, m in imports() if any(f in path.parents for f in folders)}
    for path in (p for folder in folders for p in folder.glob("*.py")):
        tops |= set(re.findall(r'find_spec\("(\w+)"', path.read_text(encoding="utf8")))
    needed = {canonicalize_name(DISTRIBUTIONS.get(top, top)) for top in tops} - own - IMPLIED
    assert {"phonlab", "espeakng-loader", "torch"} <= needed
    assert needed - set(requirements(".binder/requirements.txt")) == set()


def imports() -> list[tuple[Path, str]]:
    """Return (file, module) for each import in a Python file or notebook but relative ones."""
    found = []
    for path in tracked():
        if path.suffix == ".py":
            sources = [path.read_text(encoding="utf8")]
        elif path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf8"))["cells"]
            code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
            sources = [re.sub(r"^\s*[%!].*$", "", c, flags=re.M) for c in code]
        else:
            continue
        for node in (n for source in sources for n in ast.walk(ast.parse(source))):
            if isinstance(node, ast.Import):
                found += [(path, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.append((path, node.module))
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, f"{path}: a relative import leaves its package"
    return found


def imported() -> dict[str, str]:
    """Return distribution -> a file that imports it, over utils, chapters and tests."""
    tops = [(path, module.split(".")[0]) for path, module in imports()]
    return {canonicalize_name(DISTRIBUTIONS.get(top, top)): path.name for path, top in tops}


def test_whatever_is_imported_is_required():
    own = {"utils", "widgets", "book", "course-book", "tests", "conftest", "harness", "strokes"}
    standard = {canonicalize_name(name) for name in sys.stdlib_module_names}
    third_party = set(imported()) - own - standard - IMPLIED
    everything = requirements("requirements.txt") | requirements("requirements-book.txt")
    missing = {n: imported()[n] for n in third_party - set(everything)}
    assert missing == {}


# --------------------------------------------------------------------------------------- layout

# What each folder may import of the repository; the folders are in the order of the arrows.
MAY_IMPORT = {
    "utils": {"utils"},
    "widgets": {"widgets", "utils"},
    "chapters": {"widgets", "utils"},
    "book": {"book", "widgets", "utils"},
}


def test_imports_run_one_way():
    own = {"utils", "widgets", "chapters", "book", "tests", "conftest"}
    wrong, seen = [], set()
    for path, module in imports():
        folder, top = path.relative_to(ROOT).parts[0], module.split(".")[0]
        if folder in MAY_IMPORT and top in own:
            seen.add((folder, top))
            if top not in MAY_IMPORT[folder]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert wrong == []
    assert {("chapters", "widgets"), ("widgets", "utils"), ("book", "widgets")} <= seen


def test_utils_stays_thin():
    lines = sum(len(p.read_text(encoding="utf8").splitlines()) for p in ROOT.glob("utils/*.py"))
    assert lines <= 1350


# ------------------------------------------------------------------------------ files and licences


def test_no_path_of_a_machine_in_a_committed_file():
    # In pieces, so that this file does not find itself.
    homes = re.compile(r"/ro" r"ot/|/wo" r"rk/|/ho" r"me/\w+/|/Us" r"ers/\w+/|C:\\\\?Us" r"ers")
    found = []
    for path in tracked():
        if path.suffix in (".png", ".safetensors", ".npz", ".woff2"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
            match = homes.search(line)
            if match:
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []


def test_no_file_is_large():
    large = {p.name: p.stat().st_size for p in tracked() if p.stat().st_size > 2_500_000}
    assert large == {}


def test_citation_file():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "license"} <= set(citation)
    assert citation["authors"][0]["family-names"] == "Park"


def test_licences():
    assert "MIT License" in read("LICENSE")
    content = read("LICENSE-content.md")
    assert "creativecommons.org/licenses/by-sa/4.0" in content
    assert "creativecommons.org/licenses/by-sa/3.0" in content


def test_readme_says_how():
    text = read("README.md")
    for needed in ("make book", "make test", "Colab", "Sangzun Park", "book/screenshot.png",
                   "<!-- chapters:start -->", "<!-- chapters:end -->"):  # fmt: skip
        assert needed in text, needed


def test_everything_in_the_contents_exists():
    for page in book.pages()[:-2]:  # the last two are Sphinx's own
        assert any((ROOT / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb")), page


def test_glossary_is_in_alphabetical_order():
    terms = re.findall(r"^(\S.*)\n  \S", read("chapters/glossary.md"), flags=re.M)[1:]
    plain = [unicodedata.normalize("NFKD", term).casefold() for term in terms]
    letters = [re.sub("[^a-z ]", "", re.sub("[-–]", " ", term)) for term in plain]
    assert len(terms) > 80 and letters == sorted(set(letters))


def symbols(lines: list[str]) -> set[str]:
    """Return the letters in the first column of tables, without indices, arguments and hats."""
    found = set()
    for line in lines:
        if math := re.match(r"\| *\$(.+?)\$ *\|", line.replace(r"\|", "")):
            bare = re.sub(r"[_^](\{[^}]*\}|\\?\w+)|\(.*?\)|=.*", "", math[1])
            bare = re.sub(r"\\(hat|log|[lr]vert|operatorname)", "", bare)
            found |= {part.strip(" {}$") for part in bare.split(",")}
    return found


def test_notation_explains_the_symbols_of_every_chapter():
    shared, *special = re.split(r"^## (?=.*\(chapter)", read("chapters/notation.md"), flags=re.M)
    for page in book.chapter_pages():
        cells = json.loads(read(f"{page}.ipynb"))["cells"]
        text = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
        table = next(t for t in text if "| symbol |" in t).split("| symbol |")[1].split("\n\n")[0]
        number = int(page.removeprefix("chapters/")[:2])
        known = symbols(shared.splitlines())
        for section in special:
            first, last = re.search(r"\(chapters? (\d)(?: to (\d))?\)", section).groups()
            if int(first) <= number <= int(last or first):
                known |= symbols(section.splitlines())
        assert symbols(table.splitlines()) - known == set(), page


def test_how_to_run_names_the_chapters_that_binder_cannot_hold():
    large = []
    for page in book.chapter_pages():
        course = json.loads(read(f"{page}.ipynb"))["metadata"]["course"]
        if course["peak_memory_mb"] > 2000:
            large.append(str(int(page.removeprefix("chapters/")[:2])))
    named = re.search(r"Chapters (.*) need more than 2 GB", read("chapters/how_to_run.md"))[1]
    assert re.findall(r"\d", named) == large


def test_the_folder_of_static_files_is_not_named_static():
    # Jupyter Book would put every script and style sheet in it on every page.
    assert not list(ROOT.glob("_static"))


# ---------------------------------------------------------------------------- commands, workflows


def make_targets() -> set[str]:
    text = read("Makefile").replace("$(BOOK)", ".venv-book").replace("$(FULL)", ".venv")
    return set(re.findall(r"^([\w./-]+):(?!=)", text, flags=re.M))


def commands(workflow: dict) -> list[str]:
    """Return the shell lines of a workflow."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def notebook_commands() -> set[str]:
    return set(re.findall(r'add_parser\(\s*"(\w+)"', read("book/notebooks.py")))


def test_ci_runs_the_command_of_the_readme():
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf8").splitlines()
    assert "make test" in lines
    assert "set -euo pipefail" in lines
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_workflow(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf8"))
    assert True in workflow or "on" in workflow  # YAML 1.1 reads the key "on" as true
    assert workflow["permissions"] == {"contents": "read"}  # more only for the job that needs it
    for job in workflow["jobs"].values():
        assert job.get("timeout-minutes") or job.get("needs")
    for line in commands(workflow):
        for target in re.findall(r"\bmake ([\w./-]+)", line):
            assert target in make_targets(), line
        for command in re.findall(r"book\.notebooks (\w+)", line):
            assert command in notebook_commands(), line
        for file in re.findall(r"pytest (\S+\.py)", line):
            assert (ROOT / file).is_file(), line
        for name in re.findall(r"pytest (?:\S+) -k (\w+)", line):
            tests = "".join(p.read_text(encoding="utf8") for p in (ROOT / "tests").glob("*.py"))
            assert re.search(rf"def test_\w*{name}", tests), line


def test_commands_in_the_documents_exist():
    for file in ("README.md", "CONTRIBUTING.md", "chapters/how_to_run.md"):
        for target in re.findall(r"`make ([\w-]+)", read(file)):
            assert target in make_targets(), f"{file}: make {target}"
        for command in re.findall(r"python -m book\.notebooks (\w+)", read(file)):
            assert command in notebook_commands(), f"{file}: {command}"


def test_help_explains_each_target():
    explained = set(
        re.findall(r"make ([\w-]+)", read("Makefile").split("help:")[1].split("\n\n")[0])
    )
    plain = {t for t in make_targets() if re.fullmatch(r"[a-z-]+", t)}
    assert plain - explained <= {"help", "browser"}
