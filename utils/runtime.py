"""Where a chapter runs: reproducible seeds, the line of versions, and packages missing on Colab."""

from __future__ import annotations

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

    Used by the set-up cell only where it had to fetch the course itself.  Raises
    ``subprocess.CalledProcessError`` where pip fails; pip's own message says why.
    """
    names = [line for line in PACKAGES.read_text().splitlines() if line[:1].isalpha()]
    found = {d.name.lower().replace("_", "-") for d in metadata.distributions() if d.name}
    missing = [name for name in names if name not in found | TORCH]
    if missing:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
    return missing


def versions() -> str:
    """Return one line that tells which versions run, and on how many threads."""
    import torch

    return (
        f"Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}, "
        f"{torch.get_num_threads()} CPU threads"
    )


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
