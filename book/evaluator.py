"""Make the weights of the digit classifier that scores generated images anew (utils/evaluator.py).

    python -m book.evaluator

It trains on all of MNIST's training images for about two minutes, writes the weights, and prints
the test accuracy.
"""

from __future__ import annotations

from safetensors.torch import save_file

from utils import data, evaluator


def save(model: evaluator.Evaluator) -> None:
    """Write the network's weights and running statistics as float16 to ``WEIGHTS``."""
    tensors = {
        name: tensor.half().contiguous()
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point()
    }
    save_file(tensors, evaluator.WEIGHTS)
    evaluator.load.cache_clear()


def main() -> None:
    """Do what the module's docstring says; SystemExit where MNIST is not to be had."""
    images, labels, source = data.mnist("train")
    if source == "offline subset":
        raise SystemExit("The evaluator is trained on all of MNIST, which was not found")
    save(evaluator.train(images, labels))
    images, labels, _ = data.mnist("test")
    accuracy = (evaluator.classify(images).argmax(1) == labels).double().mean()
    print(f"{evaluator.WEIGHTS.name}: {accuracy:.2%} of the test images right")


if __name__ == "__main__":
    main()
