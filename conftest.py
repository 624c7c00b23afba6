"""``pytest --nbval chapters`` runs each notebook with the reduced parameters of tests/quick.yml.

They are appended, in memory only, to the cell tagged ``parameters``, the way papermill injects
them.  ``--full-run`` runs the notebooks as they are written.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ["DL_COURSE_CHECK"] = "1"  # a chapter that misses a bound fails


def pytest_addoption(parser):
    parser.addoption(
        "--full-run", action="store_true", help="nbval: the published parameters, not the reduced"
    )
    parser.addoption(
        "--every-chapter", action="store_true", help="run again the cells of all nine, not of one"
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full-run"):
        return
    from book.notebooks import quick_parameters

    for item in items:
        cell = getattr(item, "cell", None)  # nbval's items hold their notebook cell
        if cell is None or "parameters" not in cell.metadata.get("tags", []):
            continue
        try:
            reduced = quick_parameters(item.path)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
        cell.source += "\n" + "\n".join(f"{k} = {v!r}" for k, v in reduced.items())
