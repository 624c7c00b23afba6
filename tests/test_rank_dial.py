"""RankDial's Python side: truncation against torch, counting, bad input, the static picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import traitlets as t
from PIL import Image
from torch import nn

from widgets import RankDial

SPECTRA = [list(range(12, 0, -1))] * 2


def factorised(r=6, widths=(784, 20, 30), seed=0):
    torch.manual_seed(seed)
    layers = []
    for n, m in zip(widths, widths[1:]):
        layers += [nn.Linear(n, r, bias=False), nn.Linear(r, m), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 10))


def make(model=None, **changes):
    rng = np.random.default_rng(0)
    arguments = {
        "spectra": SPECTRA,
        "curve": [(1, 0.3), (3, 0.6), (6, 0.9)],
        "examples": rng.random((3, 784)),
        "example_labels": [1, 2, 3],
        "judges": rng.random((5, 784)),
        "judge_labels": [0, 1, 2, 3, 4],
        "full_parameters": 16_500,
        "full_accuracy": 0.95,
        "presets": [{"name": "Unequal", "ranks": [6, 2], "why": "Try it.", "accuracy": 0.8}],
    } | changes
    return RankDial(factorised() if model is None else model, **arguments)


@pytest.fixture
def widget():
    return make()


def truncated(model, ranks):
    layers = list(model)
    for k, r in enumerate(ranks):
        down, up = layers[3 * k], layers[3 * k + 1]
        with torch.no_grad():
            down.weight[r:] = 0
            up.weight[:, r:] = 0
    return nn.Sequential(*layers)


@pytest.mark.parametrize("ranks", [[6, 6], [1, 1], [2, 5]])
def test_probabilities_are_those_of_the_truncated_model(widget, ranks):
    widget.ranks = ranks
    net = truncated(factorised(), ranks)
    with torch.no_grad():
        expected = net(torch.tensor(widget.image.copy()).view(1, 784)).softmax(1)[0]
    np.testing.assert_allclose(widget.probabilities, expected, atol=1e-6)


def test_parameters_are_counted(widget):
    assert widget.parameters == sum(p.numel() for p in factorised().parameters())
    widget.ranks = [2, 3]
    assert widget.parameters == 2 * (784 + 20) + 20 + 3 * (20 + 30) + 30 + 310


def test_later_training_does_not_touch_it():
    model = factorised()
    widget = make(model)
    before = widget.probabilities
    with torch.no_grad():
        model[0].weight.zero_()
    assert (widget.probabilities == before).all()


def test_a_bias_between_the_factors_is_part_of_its_component():
    model = factorised()
    model[0] = nn.Linear(784, 6)
    widget = make(model)
    widget.ranks = [2, 6]
    assert widget.parameters == 2 * (784 + 20) + 20 + 6 * (20 + 30) + 30 + 310
    with torch.no_grad():
        model[0].bias[2:] = 0
        net, x = truncated(model, [2, 6]), torch.tensor(widget.image.copy()).view(1, 784)
        np.testing.assert_allclose(widget.probabilities, net(x).softmax(1)[0], atol=1e-6)


@pytest.mark.parametrize("ranks", [[6], [0, 6], [6, 7], [6, 6, 6]])
def test_no_other_ranks_are_taken(widget, ranks):
    with pytest.raises(t.TraitError):
        widget.set_state({"ranks": ranks})
    assert widget.ranks == [6, 6]


def spoilt_layers(change):
    layers = list(factorised())
    change(layers)
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spectra": SPECTRA[:1]}, "2 sequences"),
        ({"spectra": [[1, 2]] * 2}, "at least 6"),
        ({"spectra": [[np.nan] * 6] * 2}, "finite"),
        ({"curve": [(1, 0.3)]}, "at least two"),
        ({"curve": [(3, 0.3), (1, 0.5)]}, "order of rank"),
        ({"curve": [(1, 0.3), (3, 1.5)]}, r"\[0, 1\]"),
        ({"judges": np.zeros((401, 784)), "judge_labels": [0] * 401}, "at most 400"),
        ({"judge_labels": [0, 1]}, "5 pictures"),
        ({"examples": np.full((3, 784), 2.0)}, r"\[0, 1\]"),
        ({"presets": [{"name": "One", "ranks": [6], "why": ""}]}, "'One' has no 2 ranks"),
        ({"presets": [{"name": "Big", "ranks": [6, 7], "why": ""}]}, "'Big' has no 2 ranks"),
        ({"model": nn.Sequential(nn.Linear(784, 10))}, "must consist of"),
        ({"model": spoilt_layers(lambda s: s.insert(1, nn.ReLU()))}, "must consist of"),
        ({"model": spoilt_layers(lambda s: s.__setitem__(6, nn.Linear(30, 9)))}, "ten logits"),
    ],
)
def test_bad_arguments_say_why(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_it_opens_with_the_digit_that_is_asked_for_and_shares_refer_to_all():
    widget = make(image=2, spectra=[[3, *[2] * 20]] * 2)
    assert (widget.image != make().image).any()
    assert widget._totals == [9 + 20 * 4] * 2 and len(widget._spectra[0]) == 12


def test_pairs_of_different_ranks_are_refused():
    layers = list(factorised())
    layers[3:5] = nn.Linear(20, 4, bias=False), nn.Linear(4, 30)
    with pytest.raises(ValueError, match="same number of components"):
        make(nn.Sequential(*layers))


def test_the_static_picture(widget):
    picture = Image.open(io.BytesIO(widget.poster())).convert("RGBA")
    assert picture.getextrema()[3] == (255, 255), "opaque, so that it can be read on any page"
    assert picture.width <= 1300 and len(widget.poster()) <= 40_000
