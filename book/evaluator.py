"""Trains the digit classifier that scores generated images: ``python -m book.evaluator``."""

from __future__ import annotations

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from utils import data, evaluator, runtime, training


def train(
    images: torch.Tensor, labels: torch.Tensor, epochs: int = 15, seed: int = 0
) -> evaluator.Evaluator:
    """Train a new network, and return it in evaluation mode.

    images: float32 (N, 28, 28) in [0, 1]
    labels: int64 (N,), 0 to 9
    epochs: passes over the images, 1 or more; each takes one idle core about 8 s for 60,000

    The same seed gives the same network on one machine with one number of threads.
    """
    runtime.seed_everything(seed)
    images = images[:, None]
    model = evaluator.Evaluator()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    batch_size = min(128, len(images))
    steps = epochs * (len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    for epoch in training.progress(range(epochs), "evaluator"):
        # Distortions fade out over the last third: the network ends on digits as they are.
        strength = min(1.0, 3 * (1 - (epoch + 1) / epochs))
        for index in training.minibatches(len(images), batch_size):
            loss = F.cross_entropy(model(_distort(images[index], strength)), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def _distort(images: torch.Tensor, strength: float) -> torch.Tensor:
    """Turn, scale, shear and shift each image (N, 1, 28, 28) at random; strength 0 to 1."""

    def uniform(limit: float) -> torch.Tensor:
        return strength * limit * (2 * torch.rand(len(images)) - 1)

    angle, shear = uniform(0.21), uniform(0.15)  # radians (12 degrees), slope
    scale_x, scale_y = 1 + uniform(0.12), 1 + uniform(0.12)
    shift_x, shift_y = uniform(1.5 / 14), uniform(1.5 / 14)  # 1.5 pixels of 14 = half an image
    cos, sin = angle.cos(), angle.sin()
    rows = (scale_x * cos, shear - sin, shift_x), (sin, scale_y * cos, shift_y)
    matrices = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def save(model: evaluator.Evaluator) -> None:
    """Write the network's weights and running statistics as float16 to ``evaluator.WEIGHTS``."""
    tensors = {
        name: tensor.half().contiguous()
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point()
    }
    save_file(tensors, evaluator.WEIGHTS)
    evaluator.load.cache_clear()


def main() -> None:
    """Train on all of MNIST's training images, write the weights, print the test accuracy."""
    images, labels, source = data.mnist("train")
    if source == "offline subset":
        raise SystemExit("The evaluator is trained on all of MNIST, which was not found")
    save(train(images, labels))
    images, labels, _ = data.mnist("test")
    accuracy = (evaluator.classify(images).argmax(1) == labels).double().mean()
    print(f"{evaluator.WEIGHTS.name}: {accuracy:.2%} of the test images right")


if __name__ == "__main__":
    main()
