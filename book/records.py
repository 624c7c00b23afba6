"""The records of the chapters' results, read from the committed notebooks.

The standard library only: the book is built where neither NumPy nor torch is installed.
"""

from __future__ import annotations

import json
from pathlib import Path

from utils.results import MIME


def read(notebook: Path) -> dict | None:
    """Return the record in a notebook's outputs, or None where it has none."""
    for cell in json.loads(Path(notebook).read_text(encoding="utf8"))["cells"]:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                return output["data"][MIME]
    return None


def collect(chapters: Path) -> list[dict]:
    """Return the records of all chapters, in order, each with the chapter's ``title`` and ``path``.

    A chapter without a record, or whose record is not of the full run, has no ``results``.
    """
    records = []
    for path in sorted(Path(chapters).glob("[0-9][0-9]_*.ipynb")):
        record = read(path)
        if record is None or record["run"] != "full":
            record = {"chapter": path.name[:2], "results": []}
        cells = json.loads(path.read_text(encoding="utf8"))["cells"]
        text = next("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        title = next(line[2:].strip() for line in text.splitlines() if line.startswith("# "))
        records.append({**record, "title": title, "path": path})
    return records
