"""The plumbing of a training loop: shuffled minibatches, a progress bar, averaged weights, a clock.

The loops themselves stay in the chapters.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import torch
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm


def minibatches(size: int, batch_size: int) -> Iterator[torch.Tensor]:
    """Yield index tensors that visit ``range(size)`` once, in random order.

    The last, incomplete batch is left out, so that every step sees ``batch_size`` examples; with
    fewer examples than that, all of them form the one batch.  The order comes from torch's global
    generator.
    """
    order = torch.randperm(size)
    batch_size = min(batch_size, size)
    for start in range(0, size - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


def progress(epochs: Iterable[int], label: str) -> Iterator[int]:
    """Pass ``epochs`` through a text progress bar that removes itself at the end."""
    return iter(tqdm(epochs, desc=label, leave=False, mininterval=1.0))


def average_weights(model: torch.nn.Module, steps: int = 500) -> AveragedModel:
    """Return a running mean of a model's weights, over about the last ``steps`` updates.

    Call ``update_parameters(model)`` on it after every step; ``.module`` is the averaged model.
    The mean is short at first: the first update copies, the n-th after it keeps (1 + n) / (10 + n)
    of the mean, at most 1 - 1 / steps.  Buffers, such as a batch norm's statistics, are copied.
    """

    def step(mean, weight, n):
        return torch.lerp(mean, weight, 1 - min(1 - 1 / steps, (1 + n) / (10 + n)))

    return AveragedModel(model, avg_fn=step)


class Stopwatch:
    """Measures training time without the time that evaluation takes.

    >>> with watch:      # counts
    ...     train()
    >>> evaluate()       # does not count
    >>> watch.seconds
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self):
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_) -> None:
        self.seconds += time.perf_counter() - self._start
