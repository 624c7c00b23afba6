"""The command line for the chapters: run them, keep them in normal form, check them.

    python -m book.notebooks execute full [01 ...]    run as published, write the outputs back
    python -m book.notebooks execute quick [01 ...]   reduced run, into _build/executed only
    python -m book.notebooks check                    are the committed notebooks in order?
    python -m book.notebooks refresh                  widgets and results in their current form
    python -m book.notebooks setup                    the shared set-up cell, into every chapter
    python -m book.notebooks address URL              the repository's address, everywhere
    python -m book.notebooks readme                   the README's table of chapters

A committed notebook is in *normal form*: nothing in it differs from one run to the next but its
results.  Its metadata say what was run: under ``course`` stand the kind of run, minutes, peak
memory, and digests of the code and of the outputs, so that a cell edited without being run again,
or an output edited by hand, is noticed.
"""

from __future__ import annotations

import argparse
import ast
import base64
import hashlib
import json
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import yaml

from book import records
from utils import results

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
QUICK = ROOT / "tests" / "quick.yml"
SET_UP = ROOT / "book" / "set_up_cell.py"  # one text for all chapters; nothing imports it
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SEEDS_TAG = "other-seeds"  # cells that repeat the training; the narrative's minutes exclude them
PICTURE_TAG = "first-picture"  # the cell whose picture opens the chapter, from images/
_PROGRESS = re.compile(r"\d+%\|.*\[\d+:\d+<")
_MEASURED = re.compile(r"(<!-- measured -->).*?(<!-- /measured -->)", re.DOTALL)
_TABLE = re.compile(r"(<!-- chapters:start -->\n).*?(<!-- chapters:end -->)", re.DOTALL)


def chapters(numbers: list[str] = ()) -> list[Path]:
    """Return the notebooks of the chapters ``["01", ...]``; of all, where none is named."""
    paths = sorted(CHAPTERS.glob("[0-9][0-9]_*.ipynb"))
    unknown = set(numbers) - {p.name[:2] for p in paths}
    if unknown:
        raise SystemExit(f"no such chapter: {', '.join(sorted(unknown))}")
    return [p for p in paths if not numbers or p.name[:2] in numbers]


# ---------------------------------------------------------------------------------------------
# Normal form
# ---------------------------------------------------------------------------------------------


def normalise(nb: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """Return a copy of a notebook in normal form; ``name`` makes the widgets' ids.

    Raises ValueError where an output holds a path of this machine.
    """
    nb = _stable_widget_ids(nbformat.from_dict(json.loads(json.dumps(nb))), name)
    kept = {k: nb.metadata[k] for k in ("course", "myst") if k in nb.metadata}
    state = nb.metadata.get("widgets", {}).get(WIDGET_STATE)
    if state and state["state"]:
        kept["widgets"] = {WIDGET_STATE: state}
    nb.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE, **kept})
    nb.nbformat, nb.nbformat_minor = 4, 5
    tags = [set(c.metadata.get("tags", [])) for c in nb.cells]
    nb.cells = [c for c, t in zip(nb.cells, tags) if "injected-parameters" not in t]
    count = 0
    for index, cell in enumerate(nb.cells):
        cell.id = f"{name[:2]}-{index:02d}"
        keep = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb") and v}
        cell.metadata = nbformat.from_dict(keep)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _normal_outputs(cell.outputs, count)
            for output in cell.outputs:
                _refuse_paths(output, f"{name}, cell {index}")
    nbformat.validate(nb)
    return nb


def _stable_widget_ids(nb, name: str):
    """Name widget models after the notebook and their order instead of at random.

    Displayed models come first, in the order of display, then the others as they were made.
    """
    state = nb.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    new = [hashlib.sha256(f"{name}/{k}".encode()).hexdigest()[:32] for k in range(len(state))]
    if set(new) == set(state):
        return nb
    text = nbformat.writes(nb)
    # find() gives -1 for a model without a view; the remainder puts it behind all others
    order = sorted(state, key=lambda i: text.find(f'"model_id": "{i}"') % (len(text) + 1))
    for old_id, new_id in zip(order, new, strict=True):
        text = text.replace(old_id, new_id)
    return nbformat.reads(text, 4)


def _normal_outputs(outputs, count: int) -> list:
    """Merge streams, drop progress bars and what varies, number the results."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            text = re.sub(r"^.*\r(?=[^\n])", "", output.text, flags=re.MULTILINE)
            if output.name == "stderr" and (_PROGRESS.search(text) or not text.strip()):
                continue
            last = kept[-1] if kept else None
            if last is not None and last.get("name") == output.name:
                last.text += text
                continue
            output.text = text
        elif output.output_type != "error":
            allowed = ("image/png", "needs_background")
            output.metadata = {k: v for k, v in output.metadata.items() if k in allowed}
            if output.output_type == "execute_result":
                output.execution_count = count
        kept.append(output)
    return kept


def _refuse_paths(output, where: str) -> None:
    text = json.dumps({k: v for k, v in output.items() if k != "data"}) + json.dumps(
        {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
    )
    for folder in {str(ROOT), os.path.expanduser("~"), tempfile.gettempdir()} - {"/", "~"}:
        if folder + "/" in text:
            raise ValueError(f"{where}: the output names a folder of this machine: {folder}")


def write(nb, path: Path) -> None:
    """Write a notebook in one step, so that an interruption never leaves half a file."""
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(nb).rstrip("\n") + "\n", encoding="utf8")
    part.replace(path)


def _digest(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _syntax(node):
    """Return a syntax tree as plain lists, the same in every Python: what is empty is left out."""
    if isinstance(node, list):
        return [_syntax(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    given = [(name, v) for name, v in ast.iter_fields(node) if v is not None and v != []]
    return [type(node).__name__, *((name, _syntax(v)) for name, v in given)]


def code_digest(nb) -> str:
    """Digest of the code: what a run depends on.

    Comments, the layout, the division into cells and the repository's address in the set-up cell
    do not count.
    """
    tree = ast.parse("\n".join(c.source for c in nb.cells if c.cell_type == "code"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "REPOSITORY":
            node.value = ast.Constant("")
    return _digest(_syntax(tree))


def output_digest(nb) -> str:
    """Digest of all outputs in their order, pictures included; results' numbers do not count."""
    outputs = [o for c in nb.cells if c.cell_type == "code" for o in c.outputs]
    return _digest([{k: v for k, v in o.items() if k != "execution_count"} for o in outputs])


# ---------------------------------------------------------------------------------------------
# Execution
# ---------------------------------------------------------------------------------------------


def quick_parameters(path: Path) -> dict:
    """Return the reduced parameters of a chapter, from tests/quick.yml.

    Raises ValueError where the chapter has none, or where one is not in its parameters cell.
    """
    table = yaml.safe_load(QUICK.read_text(encoding="utf8"))
    if path.stem not in table:
        raise ValueError(f"tests/quick.yml has no entry for {path.stem}")
    source = parameters_cell(nbformat.read(path, 4)).source
    unknown = set(table[path.stem]) - set(re.findall(r"^(\w+)\s*=", source, flags=re.MULTILINE))
    if unknown:
        raise ValueError(f"{path.stem} has no such parameter: {', '.join(sorted(unknown))}")
    return table[path.stem]


def parameters_cell(nb):
    """Return the one cell tagged ``parameters``; raises ValueError where there is not one."""
    found = [c for c in nb.cells if "parameters" in c.metadata.get("tags", [])]
    if len(found) != 1:
        raise ValueError(f"one cell tagged 'parameters' is needed, not {len(found)}")
    return found[0]


class _PeakMemory(threading.Thread):
    """Samples the memory of this process's children (the kernel) twice a second; in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self._stop_event = 0.0, threading.Event()

    def run(self):
        import psutil

        me = psutil.Process()
        while not self._stop_event.wait(0.5):
            total = 0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:  # it ended in between
                    continue
            self.peak = max(self.peak, total / 1e6)

    def finish(self) -> float:
        self._stop_event.set()
        self.join()
        return self.peak


def execute(path: Path, run: str, output: Path, *, timeout: int = 3600):
    """Run one chapter through papermill and return the executed notebook.

    run: ``"full"`` or ``"quick"``.  Minutes and peak memory are in its metadata under ``course``.
    Raises papermill's error where a cell fails; ``output`` then shows how far it came.
    """
    import papermill

    parameters = quick_parameters(path) if run == "quick" else {}
    os.environ["DL_COURSE_CHECK"] = "1"  # a bound that is missed stops the run
    memory = _PeakMemory()
    memory.start()
    start = time.perf_counter()
    try:
        nb = papermill.execute_notebook(
            path,
            output,
            parameters,
            cwd=str(path.parent),
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=timeout,
        )
    finally:
        peak = memory.finish()
    other = sum(
        c.metadata.papermill.duration
        for c in nb.cells
        if SEEDS_TAG in c.metadata.get("tags", []) and c.metadata.papermill.duration
    )
    seconds = time.perf_counter() - start
    nb.metadata["course"] = {
        "run": run,
        "minutes": round(seconds / 60, 1),
        "narrative_minutes": round((seconds - other) / 60, 1),
        "peak_memory_mb": round(peak / 10) * 10,
    }
    return nb


def _execute_command(run: str, numbers: list[str]) -> None:
    folder = ROOT / "_build" / "executed"
    folder.mkdir(parents=True, exist_ok=True)
    for path in chapters(numbers):
        output = folder / path.name
        try:
            nb = execute(path, run, output)
        except Exception:
            print(f"{path.stem} failed; how far it came stands in {output.relative_to(ROOT)}")
            raise
        course = nb.metadata["course"]
        print(
            f"{path.stem}: {course['minutes']:.1f} min, {course['narrative_minutes']:.1f} without "
            f"the other seeds, {course['peak_memory_mb']:,} MB at most",
            flush=True,
        )
        if run == "full":
            _write_back(nb, path)


def _write_back(nb, path: Path) -> None:
    """Normalise an executed notebook, note its digests and minutes, and write it to ``path``."""
    course = nb.metadata["course"]
    words = (
        f"{course['narrative_minutes']:.1f} minutes on two CPU cores, "
        f"{course['minutes']:.1f} with the other seeds; {course['peak_memory_mb'] / 1000:.1f} GB "
        "of memory at most"
    )
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = _MEASURED.sub(rf"\g<1>{words}\g<2>", cell.source)
    nb = normalise(nb, path.stem)
    nb.metadata.course["code_sha256"] = code_digest(nb)
    nb.metadata.course["outputs_sha256"] = output_digest(nb)
    picture = first_picture(nb)
    target = picture_path(path)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(picture)
    write(nb, path)


def picture_path(path: Path) -> Path:
    """Return where the picture that opens a chapter is kept."""
    return path.parent / "images" / f"{path.stem}.png"


def first_picture(nb) -> bytes:
    """Return the picture of the cell tagged ``first-picture``; ValueError where there is none."""
    for cell in nb.cells:
        if PICTURE_TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"])
    raise ValueError(f"no picture in a cell tagged {PICTURE_TAG!r}")


# ---------------------------------------------------------------------------------------------
# Checks and rewriting
# ---------------------------------------------------------------------------------------------


def problems(path: Path) -> list[str]:
    """Return what is wrong with a committed notebook; an empty list where nothing is."""
    raw = path.read_text(encoding="utf8")
    nb = nbformat.reads(raw, 4)
    found = []
    code = [c for c in nb.cells if c.cell_type == "code"]
    if any(o.output_type == "error" for c in code for o in c.outputs):
        found.append("has an error output")
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        found.append("was not executed once, in order")
    if nbformat.writes(normalise(nb, path.stem)).rstrip("\n") + "\n" != raw:
        found.append("is not in normal form")
    course = nb.metadata.get("course", {})
    if course.get("run") != "full":
        found.append("does not carry the outputs of a full run")
    if course.get("code_sha256") != code_digest(nb):
        found.append("has code that changed since its outputs were made")
    if course.get("outputs_sha256") != output_digest(nb):
        found.append("has outputs that differ from those of its run")
    if len(raw.encode()) > 2_500_000:
        found.append(f"has {len(raw.encode()) / 1e6:.1f} MB (2.5 at most)")
    picture = picture_path(path)
    if not picture.exists() or picture.read_bytes() != first_picture(nb):
        found.append(f"does not open with its own picture ({picture.name})")
    if refreshed(nb):
        found.append("shows a widget or its results in an outdated form ('refresh' mends it)")
    return found


def refreshed(nb) -> bool:
    """Show the saved widgets and results of ``nb`` in their current form; tell whether any changed.

    A front end, or a table made from a record, is how a result is shown, not a result: changing it
    needs no new training.
    """
    from widgets import WIDGETS

    changed = False
    before = output_digest(nb)
    for output in (o for c in nb.cells if c.cell_type == "code" for o in c.outputs):
        record = output.get("data", {}).get(results.MIME)
        if record is not None:
            shown = results.as_shown(record)
            changed |= any(output.data.get(kind) != text for kind, text in shown.items())
            output.data.update(shown)
    if nb.metadata.get("course", {}).get("outputs_sha256") == before:
        nb.metadata.course["outputs_sha256"] = output_digest(nb)
    for model in nb.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {}).values():
        name = model["state"].get("_course_widget")
        if name is None:  # a layout, or another library's
            continue
        for key, value in zip(("_esm", "_css"), WIDGETS[name].front_end(), strict=True):
            changed |= model["state"].get(key) != value
            model["state"][key] = value
    return changed


def set_up_cell(nb):
    """Return the cell that finds the course; raises ValueError where there is not one."""
    found = [c for c in nb.cells if c.cell_type == "code" and "REPOSITORY = " in c.source]
    if len(found) != 1:
        raise ValueError(f"one set-up cell is needed, not {len(found)}")
    return found[0]


def with_shared_set_up(nb) -> bool:
    """Give ``nb`` the set-up cell of all chapters; tell whether that changed it.

    The cell decides where the course is found, not what is computed, so outputs that belonged to
    the code before still do; where they did not, the digest stays as it was.
    """
    cell, source = set_up_cell(nb), SET_UP.read_text(encoding="utf8").rstrip("\n")
    if cell.source == source:
        return False
    course = nb.metadata.get("course", {})
    belonged = course.get("code_sha256") == code_digest(nb)
    cell.source = source
    if belonged:
        course["code_sha256"] = code_digest(nb)
    return True


def set_address(url: str) -> list[Path]:
    """Write the repository's address wherever it stands; return the files that changed."""
    if not re.fullmatch(r"https?://[\w.-]+(:\d+)?/[\w./-]+|file://[\w./-]+", url):
        raise SystemExit(f"{url!r} is not the address of a repository")
    url = url.removesuffix("/").removesuffix(".git")
    config = ROOT / "_config.yml"
    old = yaml.safe_load(config.read_text(encoding="utf8"))["repository"]["url"]
    slug, old_slug = (u.split("://")[1].split("/", 1)[1] for u in (url, old))
    changed = []
    for path in [
        config,
        SET_UP,
        ROOT / "README.md",
        *sorted(CHAPTERS.glob("*.md")),
        *chapters(),
    ]:
        text = path.read_text(encoding="utf8")
        new = text.replace(old, url).replace(f"github/{old_slug}/", f"github/{slug}/")
        new = new.replace(f"gh/{old_slug}/", f"gh/{slug}/")
        if new != text:
            path.write_text(new, encoding="utf8")
            changed.append(path)
    return changed


def chapter_table() -> str:
    """Return the README's table of chapters, from the committed records and metadata."""
    lines = [
        "| chapter | minutes (all seeds) | peak memory | headline results of the full run |",
        "| --- | --- | --- | --- |",
    ]
    for record in records.collect(CHAPTERS):
        course = nbformat.read(record["path"], 4).metadata["course"]
        rows = record["results"][:3]
        if not rows:
            lines.append(f"| [{record['title']}](chapters/{record['path'].name}) | | | none yet |")
            continue
        headline = "; ".join(f"{r['label']} {results.format_value(r)}" for r in rows)
        lines.append(
            f"| [{record['title']}](chapters/{record['path'].name}) "
            f"| {course['narrative_minutes']:.1f} ({course['minutes']:.1f}) "
            f"| {course['peak_memory_mb'] / 1000:.1f} GB | {headline} |"
        )
    return "\n".join(lines) + "\n"


def readme(text: str) -> str:
    """Return the README with its table of chapters made anew."""
    return _TABLE.sub(lambda m: m[1] + chapter_table() + m[2], text)


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands in the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m book.notebooks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("execute", help="run chapters through papermill")
    command.add_argument("run", choices=("full", "quick"))
    command.add_argument("chapter", nargs="*", help="01 to 09; all where none is named")
    commands.add_parser("check", help="report committed notebooks that are not in order")
    commands.add_parser("refresh", help="show saved widgets and results in their current form")
    commands.add_parser("setup", help="give every chapter the set-up cell of book/set_up_cell.py")
    commands.add_parser("address", help="change the repository's address").add_argument("url")
    commands.add_parser("readme", help="remake the README's table of chapters")
    options = parser.parse_args(arguments)
    if options.command == "execute":
        _execute_command(options.run, options.chapter)
    elif options.command == "check":
        found = [f"{path.name} {p}" for path in chapters() for p in problems(path)]
        print("\n".join(found) or "all chapters are in order")
        return int(bool(found))
    elif options.command in ("refresh", "setup"):
        change = refreshed if options.command == "refresh" else with_shared_set_up
        for path in chapters():
            nb = nbformat.read(path, 4)
            if change(nb):
                write(nb, path)
                print(f"changed {path.name}")
    elif options.command == "address":
        for path in set_address(options.url):
            print(f"changed {path.relative_to(ROOT)}")
    elif options.command == "readme":
        path = ROOT / "README.md"
        path.write_text(readme(path.read_text(encoding="utf8")), encoding="utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
