"""The independent digit classifier that scores generated images.

A small convolutional network, trained on MNIST's 60,000 training images and never on a generated
one.  Its weights lie beside this file (float16, safetensors); ``python -m book.evaluator`` trains
the network again.

The features for the Fréchet distance are the 64 values of the last hidden layer, normalised by a
batch norm without scale or shift and before the ReLU.  So each has mean about 0 and variance
about 1 over real digits, which sets the unit of the distance; and each takes both signs, which
suits the distance's view of features as Gaussian better than a ReLU's output with its many zeros.

Like most classifiers it is sure of itself on images that are no digits: it calls uniform noise an
8 with probability above 0.99.  So its accuracy on generated images says little without the
Fréchet distance, which is above 100 for that noise.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from utils import data

WEIGHTS = Path(__file__).with_name("evaluator.safetensors")
FEATURES = 64  # values per image that ``features`` returns


class Evaluator(nn.Module):
    """Three convolutions, two dense layers: images (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""

    def __init__(self):
        super().__init__()

        def block(inputs: int, outputs: int, size: int) -> list[nn.Module]:
            # Pooling first leaves a quarter of the values to normalise.
            convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
            return [convolution, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *block(1, 16, 5),  # (16, 14, 14)
            *block(16, 32, 3),  # (32, 7, 7)
            *block(32, 64, 3),  # (64, 3, 3)
            nn.Flatten(),
            nn.Linear(576, FEATURES, bias=False),
            nn.BatchNorm1d(FEATURES, affine=False),
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 10))
        self.to(memory_format=torch.channels_last)  # up to three times as fast on a CPU

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))


@functools.lru_cache(maxsize=1)
def load() -> Evaluator:
    """Return the trained network, in evaluation mode and without gradients for its weights.

    All callers share it.  Raises ``utils.data.DataError`` if the file of weights is missing or
    cannot be used.
    """
    way_out = "Get utils/evaluator.safetensors from the repository again."
    if not WEIGHTS.is_file():
        raise data.DataError(f"The evaluator's weights are missing. {way_out}")
    model = Evaluator()
    try:
        # Not in the file: how many batches a batch norm has seen, which evaluation does not use.
        missing, unexpected = model.load_state_dict(load_file(WEIGHTS), strict=False)
        strange = [n for n in missing if not n.endswith("num_batches_tracked")] + unexpected
        if strange:
            raise ValueError(f"the tensors {', '.join(strange)} are missing or unknown")
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise data.DataError(f"The evaluator's weights are damaged ({error}). {way_out}") from error
    return model.eval().requires_grad_(False)


def classify(images: torch.Tensor, model: nn.Module | None = None) -> torch.Tensor:
    """Return the probability of each digit, float32 (N, 10), rows that sum to 1.

    images: float (N, 28, 28), (N, 1, 28, 28) or (N, 784), from 0 (paper) to 1 (ink)
    model: another network of this class; by default the committed one

    Raises ``ValueError`` for other shapes, integers, values that are not finite, and values
    outside [0, 1] by more than 0.001.
    """
    return _apply(load() if model is None else model.eval(), images).softmax(1)


def features(images: torch.Tensor) -> torch.Tensor:
    """Return the last hidden layer, float32 (N, 64), before its ReLU.

    Images and errors as for ``classify``.
    """
    return _apply(load().body, images)


def frechet_distance(real: torch.Tensor, generated: torch.Tensor) -> float:
    """Return the Fréchet distance between the features of two sets of images, 0 or more.

    With means m and covariances C of the features (Heusel et al. 2017, arXiv:1706.08500):
    ``|m1 - m2|**2 + trace(C1 + C2 - 2 * sqrt(C1 @ C2))``, in float64 by torchmetrics.

    It falls with the number of images even between sets of equal quality: compare only distances
    of equal numbers, and give the one between two sets of real digits beside them.  For 10,000
    images each, test against training, that floor is 0.09 to 0.15.

    Images and errors as for ``classify``; ``ValueError`` also for 64 images or fewer, whose
    features have no covariance of full rank.
    """
    # Imported here because it takes a second that classifying does not need.
    from torchmetrics.image.fid import FrechetInceptionDistance

    extractor = nn.Identity()  # the metric gets features instead of images
    extractor.num_features = FEATURES
    metric = FrechetInceptionDistance(extractor)
    for images, is_real in ((real, True), (generated, False)):
        hidden = features(images).double()
        if len(hidden) <= FEATURES:
            raise ValueError(
                f"The Fréchet distance needs more than {FEATURES} images, not {len(hidden)}"
            )
        metric.update(hidden, real=is_real)
    return max(0.0, metric.compute().item())  # rounding may leave -1e-13 for equal sets


def _apply(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    images = torch.as_tensor(images)
    if not images.is_floating_point():
        raise ValueError(f"Images must be floats from 0 to 1, not {images.dtype}")
    if images.numel() == 0 or tuple(images.shape[1:]) not in ((28, 28), (1, 28, 28), (784,)):
        raise ValueError(
            f"Images must be (N, 28, 28), (N, 1, 28, 28) or (N, 784), not {tuple(images.shape)}"
        )
    if not images.isfinite().all():
        raise ValueError("Images hold values that are not finite (NaN or infinity)")
    low, high = images.min().item(), images.max().item()
    if low < -1e-3 or high > 1 + 1e-3:
        raise ValueError(f"Images must lie in [0, 1]; these reach from {low:.4g} to {high:.4g}")
    with torch.no_grad():
        batches = images.float().reshape(-1, 1, 28, 28).split(250)
        return torch.cat([net(batch) for batch in batches])
