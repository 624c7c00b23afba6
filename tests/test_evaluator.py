"""The evaluator: its accuracy, its file, its errors, and the Fréchet distance."""

import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy import linalg

from book import evaluator as training
from utils import data, evaluator


@pytest.fixture(scope="module")
def digits():
    return {split: data.mnist(split) for split in ("train", "test")}


@pytest.fixture(scope="module")
def all_of_mnist(digits):
    if digits["test"].source == "offline subset":
        pytest.skip("needs all of MNIST")
    return digits


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Weights are read and written in a temporary folder."""
    monkeypatch.setattr(evaluator, "WEIGHTS", tmp_path / "evaluator.safetensors")
    evaluator.load.cache_clear()
    yield evaluator.WEIGHTS
    evaluator.load.cache_clear()


def accuracy(images, labels, model=None) -> float:
    return (evaluator.classify(images, model).argmax(1) == labels).double().mean().item()


def closed_form(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of features, by scipy's matrix square root."""
    means = [f.mean(0) for f in (first, second)]
    covariances = [np.cov(f, rowvar=False) for f in (first, second)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return np.sum((means[0] - means[1]) ** 2) + np.trace(sum(covariances) - 2 * root)


# --------------------------------------------------------------------------- accuracy, file, speed


def test_accuracy_on_the_test_set(all_of_mnist):
    images, labels, _ = all_of_mnist["test"]
    assert len(images) == 10_000
    assert accuracy(images, labels) >= 0.995


def test_accuracy_on_whatever_is_there(digits):
    images, labels, _ = digits["test"]  # offline: training images, so a check of sanity only
    assert accuracy(images, labels) >= 0.99


def test_file_is_small_and_float16():
    assert evaluator.WEIGHTS.stat().st_size <= 300_000
    tensors = load_file(evaluator.WEIGHTS)
    assert {t.dtype for t in tensors.values()} == {torch.float16}
    assert all(t.isfinite().all() for t in tensors.values())


def test_ten_thousand_images_take_seconds():
    images = torch.rand(10_000, 28, 28)
    start = time.process_time()
    evaluator.classify(images)
    assert time.process_time() - start < 6  # CPU seconds: of all threads, whoever else works


# ------------------------------------------------------------------------------------- interface


def test_probabilities_and_features(digits):
    images = digits["test"].images[:300]  # more than one batch
    probabilities = evaluator.classify(images)
    assert probabilities.shape == (300, 10) and probabilities.dtype == torch.float32
    assert torch.allclose(probabilities.sum(1), torch.ones(300))
    hidden = evaluator.features(images)
    assert hidden.shape == (300, evaluator.FEATURES)
    with torch.no_grad():  # the head makes the same probabilities of the same features
        again = evaluator.load().head(hidden).softmax(1)
    assert torch.allclose(probabilities, again, atol=1e-6)


def test_shapes_and_batches_do_not_matter(digits):
    images = digits["test"].images[:260]
    whole = evaluator.classify(images)
    others = (
        evaluator.classify(images.reshape(-1, 784)),
        evaluator.classify(images[:, None].double()),
        evaluator.classify(images.numpy()),
        torch.cat([evaluator.classify(part) for part in images.split(7)]),
    )
    for other in others:
        assert torch.allclose(whole, other, atol=1e-5)


def test_features_of_digits_have_mean_0_and_variance_1(digits):
    hidden = evaluator.features(digits["train"].images[:10_000])
    assert hidden.mean(0).abs().max() < 0.3
    assert hidden.var(0).min() > 0.6 and hidden.var(0).max() < 1.5
    assert 0.9 < hidden.var(0).mean() < 1.1


def test_model_is_shared_frozen_and_evaluates():
    model = evaluator.load()
    assert model is evaluator.load() and not model.training
    assert not any(p.requires_grad for p in model.parameters())
    images = torch.rand(2, 28, 28, requires_grad=True)
    assert not evaluator.classify(images).requires_grad


@pytest.mark.parametrize("function", [evaluator.classify, evaluator.features])
@pytest.mark.parametrize(
    "images, message",
    [
        (torch.rand(3, 27, 28), r"not \(3, 27, 28\)"),
        (torch.rand(28, 28), r"not \(28, 28\)"),
        (torch.rand(3, 3, 28, 28), r"not \(3, 3, 28, 28\)"),
        (torch.rand(0, 784), r"not \(0, 784\)"),
        (torch.tensor(0.5), r"not \(\)"),
        (torch.full((2, 784), float("nan")), "not finite"),
        (torch.full((2, 784), float("inf")), "not finite"),
        (torch.rand(2, 784) - 0.5, r"lie in \[0, 1\]; these reach from -0\.\d+ to"),
        (255 * torch.rand(2, 784), r"lie in \[0, 1\]"),
        (torch.zeros(2, 784, dtype=torch.uint8), "floats from 0 to 1, not torch.uint8"),
    ],
)
def test_wrong_images_are_refused(function, images, message):
    with pytest.raises(ValueError, match=message):
        function(images)


def test_missing_weights(elsewhere):
    with pytest.raises(data.DataError, match="weights are missing. Get utils/evaluator"):
        evaluator.load()


def test_damaged_weights(elsewhere):
    training.save(evaluator.Evaluator())
    whole = elsewhere.read_bytes()
    assert not evaluator.load().training
    for damaged in (b"", whole[:1000], whole[:-100], b"version https://git-lfs.github.com/spec/v1"):
        elsewhere.write_bytes(damaged)
        evaluator.load.cache_clear()
        with pytest.raises(data.DataError, match="weights are damaged .*Get utils/evaluator"):
            evaluator.load()


@pytest.mark.parametrize("change", ["lost", "added", "shape"])
def test_weights_of_another_network(elsewhere, change):
    training.save(evaluator.Evaluator())
    tensors = load_file(elsewhere)
    if change == "lost":
        del tensors["head.1.weight"]
    else:
        tensors["other" if change == "added" else "head.1.weight"] = torch.zeros(3)
    save_file(tensors, elsewhere)
    evaluator.load.cache_clear()
    with pytest.raises(data.DataError, match="other" if change == "added" else "head.1.weight"):
        evaluator.load()


# -------------------------------------------------------------------------------- Fréchet distance


def test_distance_of_a_set_from_itself_is_0(digits):
    images = digits["test"].images[:500]
    assert 0 <= evaluator.frechet_distance(images, images) < 1e-6
    assert 0 <= evaluator.frechet_distance(images, images.flip(0)) < 1e-6


@pytest.mark.parametrize("size", [65, 500])
def test_distance_as_scipy_computes_it(digits, size):
    real, generated = digits["train"].images[:size], digits["test"].images[:size] ** 2
    expected = closed_form(
        *(evaluator.features(images).double().numpy() for images in (real, generated))
    )
    assert evaluator.frechet_distance(real, generated) == pytest.approx(expected, rel=1e-6)
    assert evaluator.frechet_distance(generated, real) == pytest.approx(expected, rel=1e-6)


def test_distance_of_two_known_gaussians(monkeypatch):
    """Diagonal covariances: |m1 - m2|^2 + sum((s1 - s2)^2), with s the standard deviations."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((400, evaluator.FEATURES))
    noise -= noise.mean(0)  # exactly mean 0 and covariance I
    noise = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise, rowvar=False))).T
    spread, shift = rng.uniform(0.5, 2, evaluator.FEATURES), rng.normal(size=evaluator.FEATURES)
    sets = {1.0: noise, 2.0: noise * spread + shift}
    monkeypatch.setattr(evaluator, "features", lambda x: torch.tensor(sets[float(x[0])]))
    measured = evaluator.frechet_distance(torch.ones(400), torch.full((400,), 2.0))
    expected = np.sum(shift**2) + np.sum((spread - 1) ** 2)
    assert measured == pytest.approx(expected, rel=1e-9)


def test_distance_needs_images_enough():
    images = torch.rand(evaluator.FEATURES, 28, 28)
    with pytest.raises(ValueError, match="more than 64 images, not 64"):
        evaluator.frechet_distance(images, images)


@pytest.mark.slow
def test_floor_between_sets_of_real_digits(all_of_mnist):
    """What a perfect generator would get.

    The test set's first and last 5,000 images come from different writers and differ by more
    than chance, so its halves are every other image.
    """
    train, test = (all_of_mnist[split].images for split in ("train", "test"))
    for start in (0, 50_000):
        floor = evaluator.frechet_distance(test, train[start : start + 10_000])
        assert 0.08 < floor < 0.16  # "0.09 to 0.15" in the docstring
    halves = evaluator.frechet_distance(test[::2], test[1::2])
    assert 0.1 < halves < 0.5  # fewer images: a higher floor
    assert evaluator.frechet_distance(test[:5_000], test[5_000:]) > 2 * halves


def test_noise_is_called_a_digit_but_lies_far_from_digits(digits):
    noise = torch.rand(1000, 28, 28, generator=torch.Generator().manual_seed(0))
    top = evaluator.classify(noise).max(1)
    assert top.values.mean() > 0.99 and (top.indices == 8).double().mean() > 0.99
    assert evaluator.frechet_distance(digits["test"].images[:1000], noise) > 100


@pytest.mark.slow
def test_distance_grows_with_damage(digits):
    images = digits["test"].images[:1000]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    distances = [
        evaluator.frechet_distance(images, (images + amount * noise).clamp(0, 1))
        for amount in (0.1, 0.2, 0.4, 0.8)
    ]
    assert distances == sorted(distances) and distances[0] > 0
    one_class = images[digits["test"].labels[:1000] == 3].repeat(10, 1, 1)
    assert evaluator.frechet_distance(images, one_class) > 10  # a generator of threes only


# ------------------------------------------------------------------------------------- training


@pytest.mark.slow
def test_short_training_is_modest_and_repeats(digits):
    images, labels, _ = digits["train"]
    models = [training.train(images[:300], labels[:300], epochs=1, seed=4) for _ in range(2)]
    assert not models[0].training
    for one, other in zip(*(m.state_dict().values() for m in models)):
        assert torch.equal(one, other)
    model = training.train(images[:2000], labels[:2000], epochs=3, seed=4)
    held_out = digits["test"]
    assert accuracy(held_out.images[:1000], held_out.labels[:1000], model) > 0.9


def test_saved_model_answers_the_same(elsewhere, digits):
    images, labels, _ = digits["train"]
    model = training.train(images[:300], labels[:300], epochs=2)
    training.save(model)
    expected = evaluator.classify(images[:200], model)
    assert torch.allclose(evaluator.classify(images[:200]), expected, atol=0.02)


def test_distortion_is_gentle_and_vanishes():
    images = torch.rand(4, 1, 28, 28)
    assert torch.allclose(training._distort(images, 0.0), images, atol=1e-4)
    assert (training._distort(images, 1.0) - images).abs().mean() > 0.05


def test_command_line_needs_all_of_mnist(monkeypatch, elsewhere):
    subset = data.Digits(torch.zeros(1, 28, 28), torch.zeros(1), "offline subset")
    monkeypatch.setattr(data, "mnist", lambda split: subset)
    with pytest.raises(SystemExit, match="not found"):
        training.main()
    assert not evaluator.WEIGHTS.exists()
