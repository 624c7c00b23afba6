"""GradientFlow's Python side: arithmetic against autograd and theory, bad input, picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image

from widgets import GradientFlow
from widgets import gradient_flow as gf


def digits(count=12, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 16, (count, 28, 28)) * 17 * (rng.random((count, 28, 28)) < 0.2)
    return images.astype(np.uint8), np.arange(count) % 10


@pytest.fixture
def widget():
    return GradientFlow(*digits(), depth=8)


def torch_deltas(x, labels, depth, activation, gain, batch_norm, residual, seed):
    """Root mean square of the gradient by what each activation receives, by autograd."""
    z = torch.from_numpy(gf.weights(seed, (784 + 39 * 64 + 10) * 64))
    matrices = [z[: 784 * 64].view(64, 784), *z[784 * 64 : -640].view(39, 64, 64)]
    function = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}[activation]
    h, received = torch.from_numpy(x), []
    for layer in range(depth):
        a = gain / h.shape[1] ** 0.5 * h @ matrices[layer].T
        if batch_norm:
            a = torch.nn.functional.batch_norm(a, None, None, training=True, eps=1e-5)
        if not a.requires_grad:
            a.requires_grad_()
        a.retain_grad()
        received.append(a)
        value = function(a)
        h = h + value if residual and layer > 0 else value
    logits = h @ z[-640:].view(10, 64).T / 8
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
    return np.array([a.grad.square().mean().sqrt().item() for a in received])


@pytest.mark.parametrize("activation", list(gf.ACTIVATIONS))
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_gradients_are_those_of_autograd(activation, batch_norm, residual):
    images, labels = digits()
    x = images.reshape(12, 784) / 255
    options = {"batch_norm": batch_norm, "residual": residual, "seed": 3}
    found = gf.flow(x, labels, 8, activation, 1.2, **options)
    true = torch_deltas(x, labels, 8, activation, 1.2, **options)
    np.testing.assert_allclose(found["delta"], true, rtol=1e-9)
    np.testing.assert_allclose(found["histogram"].sum(1), 1)


@pytest.mark.parametrize(
    "activation, gain",
    [("tanh", 0.7), ("tanh", 1.3), ("relu", 1.4), ("sigmoid", 2), ("sigmoid", 10)],
)
def test_theory_agrees_with_the_mean_of_many_nets(activation, gain):
    images, labels = digits()
    x = images.reshape(12, 784) / 255
    ratios = []
    for seed in range(40):
        found = gf.flow(x, labels, 10, activation, gain, seed=seed)
        ratios.append((found["delta"][0] / found["delta"][-1]) ** 2)
    measured, theory = np.mean(ratios) ** (1 / 18), found["predicted"].prod() ** (1 / 9)
    assert measured == pytest.approx(theory, rel=0.03)


def test_weights_look_normal_and_differ_by_seed():
    one, two = gf.weights(0, 200_000), gf.weights(1, 200_000)
    for z in (one, two):
        assert abs(z.mean()) < 0.01 and abs(z.var() - 1) < 0.01
        assert abs((z[1:] * z[:-1]).mean()) < 0.01
    assert abs((one * two).mean()) < 0.01


def test_traits_reach_the_flow(widget):
    before = widget.flow["delta"]
    widget.gain = 2.0
    assert (widget.flow["delta"] != before).all()
    widget.depth = 5
    assert len(widget.flow["delta"]) == 5 and len(widget.flow["predicted"]) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"depth": 1},
        {"depth": 41},
        {"gain": 0.2},
        {"gain": float("nan")},
        {"activation": "gelu"},
        {"seed": -1},
    ],
)
def test_nothing_out_of_range_is_taken(widget, change):
    before = widget.get_state(list(change))
    with pytest.raises(t.TraitError):
        widget.set_state(change)
    assert widget.get_state(list(change)) == before
    with pytest.raises(t.TraitError):
        GradientFlow(*digits(), **change)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (digits(1)[0], [0], "between 2 and 32"),
        (digits(33)[0], np.zeros(33, int), "between 2 and 32"),
        (np.zeros((3, 27, 28)), [0, 1, 2], "shape"),
        (np.full((3, 784), np.nan), [0, 1, 2], "NaN"),
        (digits(3)[0], [0, 1], "3 pictures"),
        (digits(3)[0], [0, 1, 10], "0 to 9"),
    ],
)
def test_bad_arguments_say_why(images, labels, message):
    with pytest.raises(ValueError, match=message):
        GradientFlow(images, labels)


def test_blank_pictures_have_a_flow():
    widget = GradientFlow(np.zeros((4, 784)), [0, 1, 2, 3], activation="relu")
    assert all(np.isfinite(values).all() for values in widget.flow.values())
    widget.activation, widget.batch_norm = "tanh", True
    assert all(np.isfinite(values).all() for values in widget.flow.values())


def test_presets_hold_all_settings(widget):
    preset = {"name": "Explode", "why": "Large weights.", "gain": 2.0}
    made = GradientFlow(*digits(), depth=8, presets=[preset])
    full = {"depth": 8, "activation": "tanh", "batch_norm": False, "residual": False}
    assert made._presets == [preset | full]
    for bad in ({"name": "x"}, {"name": "x", "why": "y", "rate": 1}):
        with pytest.raises(ValueError, match="a preset has"):
            GradientFlow(*digits(), presets=[bad])


def test_the_map_is_the_product_of_the_factors():
    x = digits()[0].reshape(12, 784) / 255
    powers = gf.reach(x, "tanh", 1.5)
    assert len(powers) == gf.DEEPEST - 1
    assert powers[8] == pytest.approx(np.log10(gf.predicted(x, 10, "tanh", 1.5)).sum())


def test_the_static_picture(widget):
    picture = Image.open(io.BytesIO(widget.poster())).convert("RGBA")
    assert picture.getextrema()[3] == (255, 255), "opaque, so that it can be read on any page"
    assert picture.width <= 1300 and len(widget.poster()) <= 60_000
