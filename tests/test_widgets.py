"""The widgets' Python side: packing nets into bytes, traits, hostile input, the static picture."""

from __future__ import annotations

import base64
import copy
import io
import itertools
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets as t
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from tests import examples
from tests.nets import Conditional, FiLM, Residual
from widgets import WIDGETS, BetaDial, CourseWidget, DrawDigit, pack
from widgets.base import FRONT, bundle
from widgets.pack import HANDLERS

ROOT = Path(__file__).parents[1]


# ---- the other direction: what js/engine.js does, in Python -------------------------------------


def unpack(entry: dict, weights: bytes) -> np.ndarray:
    n, at = entry["n"], entry["offset"]
    if entry["dtype"] == "f32":
        return np.frombuffer(weights, "<f4", n, at)
    if entry["dtype"] == "f16":
        return np.frombuffer(weights, "<f2", n, at).astype("f4")
    scale = np.frombuffer(weights, "<f4", entry["rows"], entry["scale_offset"])
    q = np.frombuffer(weights, np.int8, n, at).reshape(entry["rows"], -1)
    return (q * scale[:, None]).reshape(-1)


def forward(spec: dict, weights: bytes, x: np.ndarray) -> np.ndarray:
    """Dense layers and ReLU only."""
    for layer in spec["layers"]:
        if layer["op"] == "dense":
            w = unpack(layer["w"], weights).reshape(layer["out"], layer["in"])
            x = x @ w.T + unpack(layer["b"], weights)
        else:
            x = np.maximum(x, 0)
    return x


def mlp(sizes, seed=0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


# ---- pack: bytes --------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    seed=st.integers(0, 10**6),
    gain=st.sampled_from([1e-6, 1.0, 300.0]),
)
@pytest.mark.parametrize("dtype", ["f32", "f16", "i8", "i5", "i4"])
def test_weights_survive_to_the_stated_error(dtype, sizes, seed, gain):
    net = mlp(sizes, seed)
    with torch.no_grad():
        for p in net.parameters():
            p *= gain
    spec, weights = pack(net, (sizes[0],), dtype).values()
    for layer, m in zip(
        [layer for layer in spec["layers"] if layer["op"] == "dense"],
        [m for m in net if isinstance(m, nn.Linear)],
        strict=True,
    ):
        w = m.weight.detach().numpy()
        error = np.abs(unpack(layer["w"], weights).reshape(w.shape) - w)
        if dtype == "f32":
            bound = 0 * w
        elif dtype == "f16":  # 11 bits, and the smallest step of half precision
            bound = np.abs(w) * 2.0**-11 + 2.0**-25
        else:  # half a step of the row's 127, 15 or 7
            steps = {"i8": 127, "i5": 15, "i4": 7}[dtype]
            bound = np.abs(w).max(axis=1, keepdims=True) / steps * 0.5001 + 0 * w
        assert (error <= bound).all()
        assert (unpack(layer["b"], weights) == m.bias.detach().numpy()).all()  # biases stay f32


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5), seed=st.integers(0, 10**6))
@pytest.mark.parametrize("dtype", ["f32", "f16", "i8", "i5", "i4"])
def test_layout_of_the_block(dtype, sizes, seed):
    spec, weights = pack(mlp(sizes, seed), (sizes[0],), dtype).values()
    assert json.loads(json.dumps(spec)) == spec
    assert (spec["input"], spec["output"]) == (sizes[0], sizes[-1])
    width = {"f32": 4, "f16": 2, "i8": 1}
    taken = []
    for layer in spec["layers"]:
        for entry in (layer[key] for key in ("w", "b") if key in layer):
            taken.append((entry["offset"], entry["n"] * width[entry["dtype"]]))
            if entry["dtype"] == "i8":
                taken.append((entry["scale_offset"], 4 * entry["rows"]))
    end = 0
    for offset, size in taken:  # in order, aligned, without overlap, nothing else in between
        assert offset % 4 == 0 and end <= offset < end + 4
        end = offset + size
    assert len(weights) == -(-end // 4) * 4
    assert pack(mlp(sizes, seed), (sizes[0],), dtype) == {"spec": spec, "weights": weights}


def test_f32_gives_what_torch_gives():
    net, x = mlp([20, 30, 10, 4]), torch.randn(50, 20)
    spec, weights = pack(net, (20,), "f32").values()
    np.testing.assert_allclose(forward(spec, weights, x.numpy()), net(x).detach(), atol=1e-6)


def test_rows_of_zeros_and_tiny_rows():
    net = mlp([3, 4])
    with torch.no_grad():
        net[0].weight[0] = 0
        net[0].weight[1] = 1e-44  # the scale of this row is 0 in f32
    spec, weights = pack(net, (3,), "i8").values()
    w = unpack(spec["layers"][0]["w"], weights).reshape(4, 3)
    assert np.isfinite(w).all() and (w[:2] == 0).all()


def test_batch_norm_is_folded_and_the_net_left_alone():
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Sequential(nn.Identity(), nn.Linear(8, 5), nn.BatchNorm1d(5, affine=False)),
    )
    for _ in range(5):  # statistics other than 0 and 1
        net(3 * torch.randn(64, 3, 4) + 1)
    net.eval()
    before = copy.deepcopy(net.state_dict())
    spec, weights = pack(net, (3, 4), "f32").values()
    assert [layer["op"] for layer in spec["layers"]] == ["dense", "relu", "dense"]
    x = torch.randn(20, 3, 4)
    got = forward(spec, weights, x.reshape(20, 12).numpy())
    np.testing.assert_allclose(got, net(x).detach(), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def broken(value):
    net = mlp([3, 2])
    with torch.no_grad():
        net[0].weight[0, 0] = value
    return net


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def film(condition, features, outputs=None):
    return FiLM(features, nn.Linear(condition, outputs or 2 * features))


S, C = nn.Sequential, Conditional


def test_a_condition_is_packed_and_draws_no_random_number():
    net = C(nn.Linear(5, 4), film(2, 4), nn.ReLU())
    state = torch.get_rng_state()
    spec, weights = pack(net, (5,), "f32").values()
    assert torch.equal(state, torch.get_rng_state())
    assert json.loads(json.dumps(spec)) == spec
    assert (spec["input"], spec["output"], spec["condition"]) == (5, 4, 2)
    inner = spec["layers"][1]["net"]
    assert (inner["input"], inner["output"]) == (2, 8)
    x, condition = torch.randn(20, 5), torch.randn(20, 2)
    dense = {**spec, "layers": spec["layers"][:1]}
    scale, shift = np.split(forward(inner, weights, condition.numpy()), 2, axis=1)
    got = np.maximum(forward(dense, weights, x.numpy()) * (1 + scale) + shift, 0)
    np.testing.assert_allclose(got, net(x, condition).detach(), atol=1e-6)


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 3)], ids=str)
def test_a_convolution_has_one_scale_per_output_channel(layer):
    with torch.no_grad():
        layer.weight *= torch.tensor([1.0, 10, 100, 1000]).reshape(
            (1, 4, 1, 1) if layer.transposed else (4, 1, 1, 1)
        )
    spec, weights = pack(S(layer), (3, 6, 6), "i8").values()
    w = layer.weight.detach().numpy()
    w = w.transpose(1, 2, 3, 0) if layer.transposed else w
    assert spec["layers"][0]["w"]["rows"] == 4
    error = np.abs(unpack(spec["layers"][0]["w"], weights).reshape(w.shape) - w)
    assert (error.max((1, 2, 3)) <= np.abs(w).max((1, 2, 3)) / 127 * 0.5001).all()


class Forgets(nn.Sequential):
    def forward(self, x):
        return x


class OtherFiLM(FiLM):
    def forward(self, x, condition):
        shift, scale = self.to_scale_shift(condition).chunk(2, dim=1)
        return x * (1 + scale) + shift


OtherFiLM.__name__ = "FiLM"


@pytest.mark.parametrize(
    ("net", "shape", "options", "message"),
    [
        (S(nn.GRU(3, 2)), (3,), {}, "GRU cannot be packed; possible are Linear"),
        (S(Doubled(3, 2)), (3,), {}, "Doubled cannot be packed"),
        (S(type("Linear", (Doubled,), {})(3, 2)), (3,), {}, "Linear cannot be packed"),
        (Residual(nn.Linear(3, 3)), (3,), {}, "only an nn.Sequential"),
        (S(nn.LSTM(3, 2)), (4, 3), {}, "batch_first=True"),
        (S(nn.LSTM(3, 2, 2, batch_first=True)), (4, 3), {}, "only one layer"),
        (S(nn.LSTM(3, 2, batch_first=True)), (3,), {}, "takes .steps, 3."),
        (nn.Linear(3, 2), (3,), {}, "only an nn.Sequential"),
        (mlp([3, 2]), (4,), {}, "takes 3 values, but 4 arrive"),
        (S(nn.Linear(3, 4), nn.Linear(5, 2)), (3,), {}, "takes 5 values, but 4 arrive"),
        (mlp([4, 2]), (2, 4), {}, r"put nn.Flatten\(\)"),
        (mlp([3, 2]), (), {}, "input_shape"),
        (mlp([3, 2]), (0,), {}, "input_shape"),
        (mlp([3, 2]), (3,), {"dtype": "i2"}, "dtype is 'i2'"),
        (broken(float("nan")), (3,), {}, "NaN or infinite"),
        (broken(float("inf")), (3,), {"dtype": "f32"}, "NaN or infinite"),
        (broken(1e5), (3,), {"dtype": "f16"}, "too large for f16"),
        (S(nn.Linear(3, 2), nn.Dropout()), (3,), {}, r"net.eval\(\)"),
        (S(nn.Linear(3, 2), nn.BatchNorm1d(2)), (3,), {}, r"net.eval\(\)"),
        (S(nn.BatchNorm1d(3), nn.Linear(3, 2)).eval(), (3,), {}, "is the first layer"),
        (S(nn.Linear(3, 2), nn.ReLU(), nn.BatchNorm1d(2)).eval(), (3,), {}, "follows 'relu'"),
        (S(nn.Linear(3, 2), nn.BatchNorm1d(3)).eval(), (3,), {}, "takes 3 values, but 2"),
        (
            S(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False)).eval(),
            (3,),
            {},
            "no running statistics",
        ),
        (S(nn.Conv2d(2, 2, 3, groups=2)), (2, 5, 5), {}, "groups, or dilation"),
        (S(nn.ConvTranspose2d(2, 2, 3, dilation=2)), (2, 5, 5), {}, "dilation in a transposed"),
        (S(nn.Conv1d(2, 2, 3)), (2, 5, 5), {}, "put nn.Unflatten before it"),
        (S(nn.Conv1d(2, 2, 3, dilation=2)), (2, 4), {}, "leaves nothing"),
        (S(Residual(S(nn.Conv1d(2, 2, 3)))), (2, 9), {}, r"adds an output of shape \(2, 7\)"),
        (S(Residual(nn.Linear(2, 2))), (2,), {}, "in the attribute net"),
        (S(nn.Conv2d(2, 2, 3, padding="same")), (2, 5, 5), {}, "padding in numbers"),
        (S(nn.Conv2d(2, 2, 3, padding_mode="reflect")), (2, 5, 5), {}, "padding in numbers"),
        (S(nn.Conv2d(2, 2, 3)), (50,), {}, "put nn.Unflatten before it"),
        (S(nn.Conv2d(2, 2, 3)), (3, 5, 5), {}, "takes 2 channels, but 3 arrive"),
        (S(nn.Conv2d(2, 2, 3)), (2, 5, 2), {}, "leaves nothing"),
        (S(nn.Conv2d(2, 2, 3), nn.Linear(3, 2)), (2, 5, 5), {}, r"put nn.Flatten\(\)"),
        (S(nn.ConvTranspose2d(2, 2, 3, padding=9)), (2, 5, 5), {}, "leaves nothing"),
        (S(nn.Unflatten(1, (2, 3))), (7,), {}, "does not fit"),
        (S(nn.Unflatten(2, (2, 3))), (2, 6), {}, "does not fit"),
        (S(nn.Unflatten(1, (2, -1))), (6,), {}, "does not fit"),
        (S(nn.Linear(3, 2), nn.BatchNorm2d(2)).eval(), (3,), {}, "directly after a convolution"),
        (S(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)), (2, 5, 5), {}, r"net.eval\(\)"),
        (C(film(2, 3), film(4, 3)), (3,), {}, "a condition of 2 values, another of 4"),
        (C(film(2, 3, outputs=8)), (3,), {}, "8 scales and shifts, but 3"),
        (S(film(2, 3)), (3,), {}, r"must take \(x, condition\)"),
        (Forgets(film(2, 3)), (3,), {}, r"must take \(x, condition\)"),
        (C(OtherFiLM(3, nn.Linear(2, 6))), (3,), {}, r"does not compute x \* \(1 \+ scale\)"),
        (C(type("FiLM", (nn.Linear,), {})(3, 2)), (3,), {}, "needs an attribute to_scale_shift"),
        (C(nn.Linear(3, 3)), (3,), {}, "only an nn.Sequential"),
        (S(nn.Softmax(0)), (3,), {}, "dim=1"),
        (S(nn.Flatten(0)), (3,), {}, "all but the batch"),
        (S(nn.GELU("tanh")), (3,), {}, "exact GELU"),
    ],
)
def test_what_cannot_be_packed_says_why(net, shape, options, message):
    with pytest.raises(ValueError, match=message):
        pack(net, shape, **options)


def test_each_op_has_a_forward_pass_in_the_engine():
    ops = re.findall(
        r"^  (\w+)(?:\(|:|,)",
        (FRONT / "lib" / "engine.js").read_text().split("const OPS")[1],
        re.MULTILINE,
    )
    nets = {
        "Linear": S(nn.Linear(3, 3)),
        "Conv1d": S(nn.Unflatten(1, (3, 1)), nn.Conv1d(3, 3, 1)),
        "ConvTranspose1d": S(nn.Unflatten(1, (3, 1)), nn.ConvTranspose1d(3, 3, 1)),
        "Residual": S(Residual(S(nn.ReLU()))),
        "Conv2d": S(nn.Unflatten(1, (3, 1, 1)), nn.Conv2d(3, 3, 1)),
        "ConvTranspose2d": S(nn.Unflatten(1, (3, 1, 1)), nn.ConvTranspose2d(3, 3, 1)),
        "BatchNorm1d": S(nn.Linear(3, 3), nn.BatchNorm1d(3)),
        "BatchNorm2d": S(nn.Unflatten(1, (3, 1, 1)), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)),
        "Unflatten": S(nn.Unflatten(1, (3, 1, 1))),
        "Softmax": S(nn.Softmax(1)),
        "FiLM": C(film(2, 3)),
        "LSTM": S(nn.Unflatten(1, (3, 1)), nn.LSTM(1, 2, batch_first=True)),
    }
    for kind in HANDLERS:
        net = nets[kind] if kind in nets else S(getattr(nn, kind)())
        spec = pack(net.eval(), (3,))["spec"]
        assert {layer["op"] for layer in spec["layers"]} <= set(ops)


# ---- the base class -----------------------------------------------------------------------------


def test_importing_the_widgets_does_not_import_torch():
    code = "import sys, widgets; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", sorted(WIDGETS))
def test_front_end_is_one_self_contained_module(name):
    cls = WIDGETS[name]
    assert issubclass(cls, CourseWidget) and cls.__name__ == name
    esm, css = cls.front_end()
    assert (esm, css) == (cls._esm, cls._css)
    assert not re.search(r"^\s*import\b", esm, re.MULTILINE), (
        "a module made from a string can import nothing"
    )
    addresses = r"https?://(?!www\.w3\.org/2000/svg\")"  # the name of SVG; nothing is fetched there
    assert not re.search(rf"\bfetch\(|\beval\(|{addresses}", esm + css)
    assert len(re.findall(r"^export default", esm, re.MULTILINE)) == 1
    declared = re.findall(
        r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", esm, re.MULTILINE
    )
    assert len(declared) == len(set(declared)), "two of the files declare the same name"


def test_each_file_is_glued_in_once():
    assert bundle("draw_digit.js").count("// engine.js - ") == 1


# ---- DrawDigit ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """100 pictures between 0 and 1, and labels."""
    rng = np.random.default_rng(0)
    return rng.random((100, 28, 28)), rng.integers(0, 10, 100)


@pytest.fixture
def widget(digits):
    images, labels = digits
    return DrawDigit(mlp([784, 16, 10]), images[:6], labels[:6])


def test_it_starts_with_the_first_example(widget, digits):
    assert widget.example == 0
    assert widget.image.shape == (28, 28) and widget.image.dtype == np.float32
    np.testing.assert_allclose(widget.image, digits[0][0], atol=0.5 / 255 + 1e-6)


def test_probabilities_are_the_models(widget, digits):
    widget.image = digits[0][7]
    with torch.no_grad():
        logits = widget._model(torch.tensor(widget.image.copy()).reshape(1, 784))
    np.testing.assert_allclose(widget.probabilities, logits.softmax(1)[0], atol=1e-6)
    assert widget.probabilities.shape == (10,) and abs(widget.probabilities.sum() - 1) < 1e-5


def test_a_temperature_divides_the_scores(widget, digits):
    widget.image = digits[0][7]
    logits = torch.tensor(widget.logits)
    widget.temperature = 4.0
    np.testing.assert_allclose(widget.probabilities, logits.div(4).softmax(0), atol=1e-6)
    with pytest.raises(t.TraitError):
        widget.temperature = 0.0
    widget.temperature = 1.0


def test_image_and_example_follow_each_other(widget, digits):
    widget.example = 3
    np.testing.assert_allclose(widget.image, digits[0][3], atol=0.5 / 255 + 1e-6)
    widget.image = digits[0][50]
    assert widget.example == -1
    widget.set_state({"image": bytes(784), "example": -1})  # as the front end sends it
    assert widget.image.sum() == 0 and widget.example == -1
    widget.set_state({"image": widget._examples[784 : 2 * 784], "example": 1})
    assert widget.example == 1
    np.testing.assert_allclose(widget.image, digits[0][1], atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("kind", [np.float64, np.float32, torch.tensor, np.ndarray.tolist])
def test_an_image_comes_back_as_it_was_set(widget, kind):
    steps = np.random.default_rng(1).integers(0, 256, (28, 28))
    widget.image = kind(steps / 255)
    assert (np.rint(widget.image * 255) == steps).all()
    sent = widget.get_state("image")["image"]
    assert sent == steps.astype(np.uint8).tobytes()
    widget.set_state({"image": memoryview(sent)})
    assert (np.rint(widget.image * 255) == steps).all()


def test_observers_hear_of_a_drawing(widget):
    seen = []
    widget.observe(lambda change: seen.append(change["new"].sum()), "image")
    widget.set_state({"image": bytes([255] + 783 * [0]), "example": -1})
    assert seen == [1]


def test_the_image_cannot_be_changed_behind_its_back(widget):
    with pytest.raises(ValueError, match="read-only"):
        widget.image[0, 0] = 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        "digit",
        3,
        [],
        np.zeros((27, 28)),
        np.zeros((2, 28, 28)),
        np.zeros(783),
        np.full((28, 28), np.nan),
        np.full((28, 28), np.inf),
        np.full((28, 28), 1.01),
        np.full((28, 28), -0.01),
        np.full((28, 28), 255),
        np.full((28, 28), "a"),
        np.full((28, 28), 1j),
    ],
)
def test_no_other_image_is_taken(widget, value):
    before = widget.image
    with pytest.raises(t.TraitError, match="image"):
        widget.image = value
    assert widget.image is before


@pytest.mark.parametrize(
    "state",
    [
        {"image": b""},
        {"image": bytes(783)},
        {"image": bytes(1568)},
        {"example": 6},
        {"example": -2},
    ],
)
def test_nor_from_the_front_end(widget, state):
    before = widget.image, widget.example
    with pytest.raises(t.TraitError):
        widget.set_state(state)
    assert (widget.image is before[0]) and widget.example == before[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": mlp([784, 9])}, "must give 10"),
        ({"model": S(*mlp([784, 10]), nn.Softmax(1))}, "in logits, without a softmax"),
        ({"model": mlp([100, 10])}, "takes 100 values"),
        ({"examples": np.zeros((0, 28, 28))}, "examples has shape"),
        ({"examples": np.zeros((6, 32, 32))}, "examples has shape"),
        ({"examples": np.full((6, 28, 28), 255.0)}, "not within"),
        ({"example_labels": [1, 2]}, "example_labels has shape"),
        ({"example_labels": [1, 2, 3, 4, 5, 10]}, "0 to 9"),
        ({"neighbours": np.zeros((2, 28, 28))}, "go together"),
        ({"neighbours": np.zeros((2, 28, 28)), "neighbour_labels": [1]}, "neighbour_labels has"),
        ({"dtype": "i2"}, "dtype"),
    ],
)
def test_bad_arguments_say_why(digits, change, message):
    arguments = {
        "model": mlp([784, 10]),
        "examples": digits[0][:6],
        "example_labels": digits[1][:6],
    }
    with pytest.raises(ValueError, match=message):
        DrawDigit(**{**arguments, **change})


def test_later_training_does_not_touch_it(digits):
    model = mlp([784, 10])
    widget = DrawDigit(model, digits[0][:1], digits[1][:1])
    before = widget.probabilities
    with torch.no_grad():
        model[0].weight.zero_()
    assert (widget.probabilities == before).all()


def test_uint8_and_flat_examples_are_the_same(digits):
    steps, labels = np.rint(digits[0][:4] * 255).astype(np.uint8), digits[1][:4]
    states = [
        DrawDigit(mlp([784, 10]), x, labels)._examples
        for x in (steps, steps.reshape(4, 784), steps / 255, torch.tensor(steps))
    ]
    assert states == 4 * [steps.tobytes()]


def test_neighbours_are_small_and_right():
    images, labels = examples.few(600)
    images = images.reshape(600, 784)
    widget = DrawDigit(
        mlp([784, 10]), images[:5], labels[:5], neighbours=images, neighbour_labels=labels
    )
    assert len(base64.b64encode(widget._neighbours)) < 100_000
    packed = np.frombuffer(zlib.decompress(widget._neighbours), np.uint8)
    back = 17 * np.stack([packed >> 4, packed & 15], 1).reshape(600, 784).astype(int)
    assert np.abs(back - images).max() <= 9
    assert widget._neighbour_labels == labels.tolist()


def test_the_output_is_the_same_every_time(digits):
    outputs = []
    for _ in range(2):
        widget = DrawDigit(mlp([784, 10]), digits[0][:6], digits[1][:6], alt="Six digits.")
        data, metadata = widget._repr_mimebundle_()
        assert data.pop("application/vnd.jupyter.widget-view+json")["model_id"]
        outputs.append((data, metadata))
    assert outputs[0] == outputs[1]
    data, metadata = outputs[0]
    assert data["text/plain"] == "Six digits." == metadata["image/png"]["alt"]
    assert set(data) == {"text/plain", "image/png"}


@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_the_static_picture(digits, count):
    widget = DrawDigit(mlp([784, 10]), digits[0][:count], digits[1][:count])
    png = widget.poster()
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    assert len(png) <= 40_000  # of noise; digits take a quarter of that
    assert picture.getextrema()[3] == (255, 255), "opaque, so that it can be read on any page"
    assert picture.width <= 1300 and picture.height <= 600


def test_the_state_names_the_class_and_no_path_of_this_machine(widget):
    state = widget.get_state()
    assert state["_course_widget"] == "DrawDigit"
    assert {"_net", "image", "example", "_esm", "_css"} <= set(state)
    text = repr({k: v for k, v in state.items() if not isinstance(v, bytes)})
    assert str(ROOT) not in text and str(Path.home()) not in text


# ---- BetaDial -----------------------------------------------------------------------------------

CURVE = [(10, 3, 150), (0.1, 25, 90), (1, 15, 100)]  # in any order


def conditional(*sizes, condition_dim=1, seed=0) -> Conditional:
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), film(condition_dim, n_out), nn.SiLU()]
    return Conditional(*layers[:-1])


@pytest.fixture
def dial(digits):
    nets = conditional(784, 16, 6), conditional(3, 16, 784)
    return BetaDial(*nets, digits[0][:5], digits[1][:5], CURVE)


def test_beta_is_one_or_in_the_middle(dial, digits):
    assert dial.beta == 1
    nets = conditional(784, 6), conditional(3, 784)
    other = BetaDial(*nets, digits[0][:2], digits[1][:2], [(4, 9, 80), (9, 7, 90)])
    assert other.beta == pytest.approx(6)


def test_what_it_computes(dial, digits):
    """Against the definitions, with log10(beta) as the condition and a KL by torch."""
    dial.beta = 5
    pixels = torch.tensor(np.rint(digits[0][:5] * 255) / 255, dtype=torch.float32)
    condition = torch.full((5, 1), np.log10(5), dtype=torch.float32)
    with torch.no_grad():
        mu, logvar = dial._encoder_net(pixels.reshape(5, 784), condition).chunk(2, dim=1)
        posterior = torch.distributions.Normal(mu, (logvar / 2).exp())
        prior = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
        rates = torch.distributions.kl_divergence(posterior, prior).sum(1)
        reconstructions = dial._decoder_net(mu, condition).sigmoid().reshape(5, 28, 28)
        samples = dial._decoder_net(torch.tensor(dial.z.copy()), condition).sigmoid()
    np.testing.assert_allclose(dial.rates, rates, rtol=1e-4)
    np.testing.assert_allclose(dial.reconstructions, reconstructions, atol=1e-5)
    np.testing.assert_allclose(dial.samples, samples.reshape(5, 28, 28), atol=1e-5)


def test_rate_and_distortion_between_measured_points(dial):
    assert dial.curve.tolist() == sorted(map(list, CURVE)) and dial.dedicated.shape == (0, 3)
    for beta, rate, distortion in CURVE:
        assert dial.rate_distortion(beta) == pytest.approx((rate, distortion))
    assert dial.rate_distortion(10**-0.5) == pytest.approx((20, 95))  # half-way in log(beta)


def test_its_codes_depend_on_the_seed_only(digits):
    def codes(seed):
        nets = conditional(784, 6, seed=seed), conditional(3, 784)
        return BetaDial(*nets, digits[0][:4], digits[1][:4], CURVE, seed=seed).z

    assert (codes(1) == codes(1)).all() and (codes(1) != codes(2)).all()
    assert codes(1).shape == (4, 3)


@pytest.mark.parametrize("beta", [0.0999, 10.001, 0, -1, float("nan"), float("inf"), "much", None])
def test_no_beta_but_a_measured_one(dial, beta):
    with pytest.raises(t.TraitError, match="beta"):
        dial.beta = beta
    assert dial.beta == 1


def test_the_front_end_sends_beta_and_codes(dial):
    dial.set_state({"beta": 0.1})
    assert dial.beta == 0.1
    codes = np.arange(15, dtype="<f4").reshape(5, 3)
    dial.set_state({"_z": memoryview(codes.tobytes())})
    assert (dial.z == codes).all()
    for state in ({"beta": 11}, {"_z": bytes(56)}):
        with pytest.raises(t.TraitError):
            dial.set_state(state)
    assert dial.beta == 0.1 and (dial.z == codes).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": mlp([784, 6])}, "encoder must have FiLM layers"),
        ({"decoder": mlp([3, 784])}, "decoder must have FiLM layers"),
        ({"encoder": conditional(784, 6, condition_dim=2)}, "told a condition of 1, not 2"),
        ({"encoder": conditional(784, 3)}, "as many log-variances as means"),
        ({"encoder": conditional(784, 8)}, "takes 3 values, but 4 arrive"),
        ({"encoder": conditional(100, 6)}, "takes 100 values"),
        ({"decoder": conditional(3, 10)}, "must give 784"),
        ({"decoder": C(*conditional(3, 784), nn.Sigmoid())}, "without a sigmoid"),
        ({"examples": np.zeros((0, 28, 28))}, "examples has shape"),
        ({"examples": np.zeros((13, 28, 28))}, "13 pictures, at most 12"),
        ({"example_labels": [1]}, "example_labels has shape"),
        ({"curve": [(1, 2, 3)]}, "at least 2 rows"),
        ({"curve": [(1, 2), (2, 3)]}, "rows \\(beta, rate, distortion\\)"),
        ({"curve": [(0, 2, 3), (2, 3, 4)]}, "beta above 0"),
        ({"curve": [(1, 2, float("nan")), (2, 3, 4)]}, "finite"),
        ({"curve": [(1, 2, 3), (1, 3, 4)]}, "one beta twice"),
        ({"dedicated": [(1, -2, 3)]}, "dedicated must hold"),
        ({"dtype": "i2"}, "dtype"),
    ],
)
def test_bad_arguments_of_the_dial_say_why(digits, change, message):
    arguments = {
        "encoder": conditional(784, 6),
        "decoder": conditional(3, 784),
        "examples": digits[0][:5],
        "example_labels": digits[1][:5],
        "curve": CURVE,
    }
    with pytest.raises(ValueError, match=message):
        BetaDial(**{**arguments, **change})


def test_later_training_does_not_touch_the_dial(digits):
    nets = conditional(784, 6), conditional(3, 784)
    dial = BetaDial(*nets, digits[0][:2], digits[1][:2], CURVE)
    before = dial.rates, dial.samples
    with torch.no_grad():
        for net in nets:
            net[0].weight.zero_()
    assert (dial.rates == before[0]).all() and (dial.samples == before[1]).all()


@pytest.mark.parametrize(("count", "points"), [(1, 2), (5, 3), (12, 9)])
def test_the_static_picture_of_the_dial(digits, count, points):
    curve = [(2.0**k, 20 - k, 100 + k) for k in range(points)]
    nets = conditional(784, 6), conditional(3, 784)
    pictures = digits[0][:count], digits[1][:count]
    png, again = (BetaDial(*nets, *pictures, curve).poster() for _ in range(2))
    assert png == again and len(png) <= 180_000  # of noise; digits take a third of that
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    assert picture.getextrema()[3] == (255, 255)
    assert picture.width <= 1300 and picture.height <= 600


def test_the_state_of_the_dial_is_small_and_names_no_path(dial):
    state = dial.get_state()
    assert state["_course_widget"] == "BetaDial"
    text = repr({k: v for k, v in state.items() if not isinstance(v, bytes)})
    assert str(ROOT) not in text and str(Path.home()) not in text
