"""LatentPlane and LatentTraversal in Python: traits, hostile input, the static pictures."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image
from torch import nn

from widgets import LatentPlane, LatentTraversal

RNG = np.random.default_rng(0)
IMAGES, IMAGE_LABELS = RNG.random((6, 28, 28)), [3, 1, 4, 1, 5, 9]
CODES, LABELS = RNG.normal(size=(200, 2)), RNG.integers(0, 10, 200)
KL = np.array([0.01, 2.5, 0.0, 3.5, 0.4])


def net(*sizes, last=()):
    torch.manual_seed(sum(sizes))
    layers = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.SiLU())]
    return nn.Sequential(*layers[:-1], *last).eval()


DECODER_2, ENCODER_2 = net(2, 16, 784), net(784, 16, 4)
ENCODER_5, DECODER_5 = net(784, 16, 10), net(5, 16, 784)
PLANE = {
    "decoder": DECODER_2,
    "codes": CODES,
    "labels": LABELS,
    "encoder": ENCODER_2,
    "examples": IMAGES,
    "example_labels": IMAGE_LABELS,
}
TRAVERSAL = {
    "encoder": ENCODER_5,
    "decoder": DECODER_5,
    "examples": IMAGES,
    "example_labels": IMAGE_LABELS,
    "kl_per_dim": KL,
}


def plane(**changes):
    return LatentPlane(**{**PLANE, **changes})


def traversal(**changes):
    return LatentTraversal(**{**TRAVERSAL, **changes})


def means(images) -> np.ndarray:
    """The traversal's posterior means, in PyTorch."""
    with torch.no_grad():
        x = torch.tensor(np.reshape(images, (-1, 784)), dtype=torch.float32)
        return ENCODER_5(x)[:, :5].numpy()


# ---- both ---------------------------------------------------------------------------------------


@pytest.fixture(params=[plane, traversal], ids=["plane", "traversal"])
def make(request):
    return request.param


def test_decoded_is_the_decoders_sigmoid_at_z(make):
    widget = make()
    decoder = DECODER_2 if make is plane else DECODER_5
    widget.z = np.linspace(-1, 1, widget.latent_dim)
    with torch.no_grad():
        expected = decoder(torch.tensor(widget.z.copy())[None]).sigmoid().reshape(28, 28)
    np.testing.assert_allclose(widget.decoded, expected, atol=1e-6)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_z_comes_back_as_it_was_set(make, kind):
    widget = make()
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "z")
    point = [0.5, -1.25, 3.5, 0.0, -4.0][: widget.latent_dim]
    widget.z = kind(point)
    assert widget.z.dtype == np.float32 and widget.z.tolist() == point
    assert widget.get_state("z")["z"] == point
    assert len(seen) == 1
    widget.set_state({"z": point[::-1]})  # as the front end sends it
    assert widget.z.tolist() == point[::-1]
    with pytest.raises(ValueError, match="read-only"):
        widget.z[0] = 1


@pytest.mark.parametrize("value", [None, 1, "a", [], [1, None], [np.nan] * 5, [np.inf] * 2, [[0]]])
def test_no_other_z_is_taken(make, value):
    widget = make()
    before = widget.z
    for attempt in (lambda: setattr(widget, "z", value), lambda: widget.set_state({"z": value})):
        with pytest.raises(t.TraitError, match="finite numbers"):
            attempt()
    assert widget.z is before


def test_later_training_does_not_touch_it(make):
    decoder = copy.deepcopy(DECODER_2 if make is plane else DECODER_5)
    widget = make(decoder=decoder)
    before = widget.decoded
    with torch.no_grad():
        decoder[-1].weight.zero_()
    assert (widget.decoded == before).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder": net(3, 784)}, "takes 3 values"),
        ({"decoder": net(784, 2)}, "takes 784 values"),
        ({"dtype": "i2"}, "dtype"),
        ({"encoder": net(100, 10)}, "takes 100 values"),
        ({"examples": np.full((6, 28, 28), 255.0)}, "not within"),
        ({"example_labels": [1, 2]}, "example_labels has shape"),
    ],
)
def test_bad_arguments_say_why(make, change, message):
    with pytest.raises(ValueError, match=message):
        make(**change)


@pytest.mark.parametrize(
    ("last", "message"), [((nn.Sigmoid(),), "must end in logits"), ((nn.Linear(784, 9),), "784")]
)
def test_the_decoder_must_give_784_logits(make, last, message):
    decoder = net(2 if make is plane else 5, 16, 784, last=last)
    with pytest.raises(ValueError, match=message):
        make(decoder=decoder)


def test_the_output_is_the_same_every_time(make):
    outputs = []
    for _ in range(2):
        data, metadata = make(alt="A map.")._repr_mimebundle_()
        assert data.pop("application/vnd.jupyter.widget-view+json")["model_id"]
        outputs.append((data, metadata))
    assert outputs[0] == outputs[1]
    assert outputs[0][0]["text/plain"] == "A map." == outputs[0][1]["image/png"]["alt"]


def test_the_static_picture(make):
    png = make().poster()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    assert len(png) <= 350_000 and picture.width <= 1300  # of noise; digits take half of that
    values = np.asarray(picture)
    assert (values[0, 0] == 255).all(), "a light opaque ground"
    assert values.std() > 30, "and something on it"


# ---- the plane ----------------------------------------------------------------------------------


def test_codes_travel_in_16_bits():
    widget = plane(codes=50 * CODES)
    codes = widget._code_step * np.frombuffer(widget._codes, "<i2").reshape(-1, 2)
    assert np.abs(codes - 50 * CODES).max() <= np.abs(50 * CODES).max() / 32767 / 2 * 1.001
    assert list(widget._labels) == LABELS.tolist()
    assert len(widget._codes) + len(widget._labels) == 5 * len(CODES)


def test_codes_that_are_all_zero():
    assert plane(codes=np.zeros((3, 2)), labels=[1, 2, 3]).poster()


@pytest.mark.parametrize("gain", [0.01, 1.0, 7.3])
def test_the_map_has_room_for_99_per_cent_of_the_codes(gain):
    extent = plane(codes=gain * CODES)._extent
    inside = (np.abs(gain * CODES) <= extent).all(axis=1).mean()
    assert inside >= 0.99 and 2 * extent == int(2 * extent) > 0
    if extent > 0.5:
        assert (np.abs(gain * CODES) <= extent - 0.5).all(axis=1).mean() < 0.99
    assert plane(extent=2.25)._extent == 2.25


def test_a_plane_without_encoder_carries_none():
    widget = plane(encoder=None, examples=None, example_labels=None)
    assert widget._encoder == {} and widget._examples == b""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": np.zeros((200, 3))}, "codes has shape"),
        ({"codes": np.zeros((0, 2))}, "codes has shape"),
        ({"codes": np.full((200, 2), np.nan)}, "NaN or infinite"),
        ({"labels": [1, 2]}, "labels has shape"),
        ({"labels": [10] * 200}, "0 to 9"),
        ({"extent": 0}, "extent is 0"),
        ({"extent": np.nan}, "extent is nan"),
        ({"encoder": net(784, 2)}, "must give 4"),
        ({"encoder": None}, "go together"),
        ({"examples": None}, "go together"),
        ({"example_labels": None}, "go together"),
    ],
)
def test_bad_arguments_of_the_plane_say_why(change, message):
    with pytest.raises(ValueError, match=message):
        plane(**change)


# ---- the traversal ------------------------------------------------------------------------------


def test_it_starts_at_the_code_of_the_first_example():
    widget = traversal()
    stepped = np.rint(IMAGES[0] * 255) / 255
    np.testing.assert_allclose(widget.image, stepped, atol=1e-6)
    np.testing.assert_allclose(widget.z, means(stepped)[0], atol=1e-5)
    np.testing.assert_allclose(widget.code, widget.z, atol=1e-6)


def test_sliders_are_for_active_dimensions_by_kl():
    assert traversal()._active == [3, 1, 4] and traversal()._kl == [3.5, 2.5, 0.4]
    assert traversal(active=[0, 4, 1])._active == [1, 4, 0]
    assert traversal(active=torch.tensor([2]))._active == [2]


def test_an_image_set_in_python_is_encoded():
    widget = traversal()
    widget.z = np.full(5, 2.0)
    widget.image = IMAGES[4]
    np.testing.assert_allclose(widget.z, means(widget.image)[0], atol=1e-5)


def test_the_pages_own_code_is_left_alone():
    widget = traversal()
    pixels = np.rint(IMAGES[2] * 255).astype(np.uint8)
    z = [float(v) + 0.02 for v in means(pixels / 255)[0]]  # as int8 weights would have it
    widget.set_state({"image": pixels.tobytes(), "z": z})
    np.testing.assert_allclose(widget.z, z, atol=1e-6)
    widget.z = np.zeros(5)  # the sliders move on: the image stays
    np.testing.assert_allclose(widget.image, pixels / 255, atol=1e-6)
    assert (widget.z == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": net(784, 9)}, "as many log-variances as means"),
        ({"encoder": net(784, 8)}, "takes 5 values, but 4 arrive"),
        ({"kl_per_dim": KL[:4]}, "kl_per_dim has shape"),
        ({"kl_per_dim": -KL}, "none below 0"),
        ({"kl_per_dim": KL * np.nan}, "finite"),
        ({"kl_per_dim": 0 * KL}, "no dimension is active"),
        ({"active": []}, "no dimension is active"),
        ({"active": [5]}, "from 0 to 4"),
        ({"active": [-1]}, "from 0 to 4"),
        ({"active": [0.5]}, "whole numbers"),
        ({"active": [1, 1]}, "twice"),
    ],
)
def test_bad_arguments_of_the_traversal_say_why(change, message):
    with pytest.raises(ValueError, match=message):
        traversal(**change)
