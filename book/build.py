"""Build the book into _build/html; an earlier one is replaced only when the new one stands.

    python -m book.build

Warnings are errors, and -n reports every reference that leads nowhere.  Always from a clean folder:
with unchanged sources Sphinx would not renew the static files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
NEW = ROOT / "_build" / "new"  # jupyter-book makes its own _build in it
# The package has no 'python -m', and its script names the folder that it was installed in.
JUPYTER_BOOK = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]


def build(command: list[str] = JUPYTER_BOOK, **options) -> subprocess.CompletedProcess:
    """Run the build and return how it ended; ``options`` go to ``subprocess.run``."""
    shutil.rmtree(NEW, ignore_errors=True)
    arguments = ["build", ".", "--path-output", str(NEW), "-W", "--keep-going", "-n"]
    run = subprocess.run([*command, *arguments], cwd=ROOT, **options)
    if run.returncode == 0:
        shutil.rmtree(HTML, ignore_errors=True)
        (NEW / "_build" / "html").rename(HTML)
        shutil.rmtree(NEW)
    return run


if __name__ == "__main__":
    sys.exit(build().returncode)
