"""TrainingReplay's Python side: what travels, hostile input, the static picture."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
import traitlets as t
from PIL import Image

from widgets import TrainingReplay


def recording(steps=(0, 1, 4, 20), units=3, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((units, 784)) / 28
    snapshots = []
    for k, step in enumerate(steps):
        gradient = rng.standard_normal((units, 784)) * 10.0**-k
        gradient[:, :28] = 0  # the rim, which never holds ink
        snapshots.append(
            {
                "step": step,
                "loss": 2.3 / (1 + k),
                "accuracy": 0.1 + 0.2 * k,
                "weights": weights.copy(),
                "gradient": gradient,
                "outgoing": rng.standard_normal((10, units)),
            }
        )
        weights -= 0.3 * gradient
    return snapshots


@pytest.fixture
def snapshots():
    return recording()


@pytest.fixture
def widget(snapshots):
    return TrainingReplay(snapshots, unit=1)


def test_pictures_are_right_to_half_a_step(widget, snapshots):
    w = np.array([s["weights"] for s in snapshots])
    g = np.array([s["gradient"] for s in snapshots])
    for widget.index in range(4):
        for widget.unit in range(3):
            k, u = widget.index, widget.unit
            for found, true, limit in (
                (widget.weights, w[k, u], abs(w[:, u]).max()),
                (widget.gradient, g[k, u], abs(g[k, u]).max()),
            ):
                assert found.shape == (28, 28)
                assert abs(found.ravel() - true).max() <= limit / 254 * 1.0001
    assert (widget.gradient[0] == 0).all()


def test_what_travels_can_be_unpacked(widget):
    packed = np.frombuffer(zlib.decompress(widget._packed), np.int8).reshape(2, 4, 3, 784)
    scales = np.frombuffer(widget._scales, "<f4")
    w = np.cumsum(packed[0], axis=0, dtype=np.int8) * scales[:3, None].astype(float)
    g = packed[1] * scales[3:].reshape(4, 3, 1).astype(float)
    np.testing.assert_array_equal(w[3, 1].reshape(28, 28), widget.weights)
    np.testing.assert_array_equal(g[3, 1].reshape(28, 28), widget.gradient)


def test_it_starts_at_the_last_step_with_the_unit_asked_for(widget):
    assert (widget.index, widget.unit) == (3, 1)
    assert widget._steps == [0, 1, 4, 20]


def test_later_training_does_not_touch_it(widget, snapshots):
    before = widget.weights.copy()
    snapshots[-1]["weights"][:] = 0
    assert (widget.weights == before).all()


def test_a_unit_that_never_moves_and_one_without_weights():
    snapshots = recording()
    for s in snapshots:
        s["weights"][0] = 0
        s["gradient"][0] = 0
    widget = TrainingReplay(snapshots)
    assert (widget.weights == 0).all() and (widget.gradient == 0).all()
    assert widget.poster()


@pytest.mark.parametrize("change", [{"index": 4}, {"index": -1}, {"unit": 3}, {"unit": -1}])
def test_no_other_step_or_unit_is_taken(widget, change):
    with pytest.raises(t.TraitError):
        widget.set_state(change)
    assert (widget.index, widget.unit) == (3, 1)


def spoil(**changes):
    def spoiled():
        snapshots = recording()
        snapshots[2].update(changes)
        return snapshots

    return spoiled


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recording(steps=(0,)), "at least two"),
        (lambda: [{"step": 0}, {"step": 1}], "each with accuracy, gradient"),
        (lambda: recording(steps=(0, 2, 2)), "order of their steps"),
        (lambda: recording(steps=(0, 5, 2)), "order of their steps"),
        (lambda: recording(steps=(-1, 5)), "order of their steps"),
        (lambda: recording(units=65), "at most 64"),
        (spoil(weights=np.zeros((3, 783))), "weights has shape"),
        (spoil(gradient=np.zeros((2, 784))), "gradient has shape"),
        (spoil(outgoing=np.zeros((3, 10))), "outgoing has shape"),
        (spoil(gradient=np.full((3, 784), np.nan)), "NaN"),
        (spoil(loss=float("inf")), "NaN or infinite"),
    ],
)
def test_bad_arguments_say_why(make, message):
    with pytest.raises(ValueError, match=message):
        TrainingReplay(make())


def test_a_unit_that_is_not_there():
    with pytest.raises(t.TraitError):
        TrainingReplay(recording(), unit=3)


def test_the_output_is_the_same_every_time():
    one, two = (TrainingReplay(recording())._repr_mimebundle_() for _ in range(2))
    for data, _ in (one, two):
        data.pop("application/vnd.jupyter.widget-view+json")
    assert one == two and set(one[0]) == {"text/plain", "image/png"}


@pytest.mark.parametrize("count", [2, 6, 31])
def test_the_static_picture(count):
    png = TrainingReplay(recording(steps=range(count))).poster()
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    assert len(png) <= 40_000
    assert picture.getextrema()[3] == (255, 255), "opaque, so that it can be read on any page"
    assert picture.width <= 1300 and picture.height <= 500
