"""Where a chapter runs: its parameters and bounds, seeds, versions, packages missing on Colab."""

from __future__ import annotations

import os
import platform
import random
import subprocess
import sys
from importlib import metadata
from pathlib import Path

# What the chapters import: Binder's list.
PACKAGES = Path(__file__).parents[1] / ".binder" / "requirements.txt"
# Never installed here: Colab's fits Colab's driver, and another build would take minutes.
TORCH = {"torch", "torchvision", "torchaudio"}


def install_missing() -> list[str]:
    """Install those of ``PACKAGES`` that are not there, ``TORCH`` excepted; return their names.

    Used by the set-up cell only where the course is not around the notebook.  Ends the cell with a
    sentence (SystemExit) where pip fails; pip's own message says why.
    """
    lines = PACKAGES.read_text().splitlines() if PACKAGES.exists() else []  # a copy without it
    names = [line for line in lines if line[:1].isalpha()]
    found = {d.name.lower().replace("_", "-") for d in metadata.distributions() if d.name}
    missing = [name for name in names if name not in found | TORCH]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if missing and subprocess.run([*pip, *missing], check=False).returncode:
        raise SystemExit(f"These packages are missing, and pip failed: {', '.join(missing)}")
    return missing


def versions() -> str:
    """Return one line that tells which versions run, and on how many threads."""
    import torch

    return (
        f"Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}, "
        f"{torch.get_num_threads()} CPU threads"
    )


def check_parameters(given: dict, **ranges) -> None:
    """Raise ValueError, in one sentence, for the first parameter that is not in its range.

    ``given`` holds the parameters by name, such as the chapter's ``globals()``.  A range is
    (lowest, highest) for a number, a whole one where ``lowest`` is, and [(lowest, highest)] for a
    tuple of at least one such number.
    """
    for name, allowed in ranges.items():
        several = isinstance(allowed, list)
        (low, high), value = allowed[0] if several else allowed, given[name]
        whole, members = isinstance(low, int), value if several else (value,)
        if not (isinstance(members, (tuple, list)) and members) or not all(
            isinstance(v, int if whole else (int, float)) and low <= v <= high for v in members
        ):
            kind = "whole numbers" if whole else "numbers"
            needed = f"a tuple of {kind}" if several else f"a {kind[:-1]}"
            raise ValueError(f"{name} = {value!r}, but it takes {needed} from {low:,} to {high:,}")


def expect(holds: bool, otherwise: str) -> None:
    """Say what a changed or shortened run has missed; the reader's run goes on.

    Raises AssertionError instead where the environment has DL_COURSE_CHECK=1, which the course's
    own runs and tests set.
    """
    if not holds and os.environ.get("DL_COURSE_CHECK") == "1":
        raise AssertionError(otherwise)
    if not holds:
        print(f"Not as in the published run: {otherwise}")


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators.

    The same seed gives the same run on one machine with one number of threads; another machine
    may differ in the last bits of a sum, and training amplifies them.
    """
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
