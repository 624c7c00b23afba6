"""MapForming: its settings, what it refuses, its picture."""

import pytest
import traitlets

from widgets.map_forming import MapForming

PRESETS = [
    {"name": "Plain", "why": "No noise.", "beta": 0.0, "noise": False},
    {"name": "Variational", "why": "Noise and its price.", "beta": 1.0, "noise": True},
    {"name": "Collapse", "why": "Too dear.", "beta": 30.0, "noise": True},
]


def test_settings_can_be_chosen_and_set():
    widget = MapForming(presets=PRESETS, goal=160, beta=0.3)
    assert widget.beta == 0.3 and widget.noise and widget.measured == []
    widget.beta, widget.noise, widget.z = 10.0, False, [1, -2]
    with pytest.raises(traitlets.TraitError):
        widget.beta = 2.0
    with pytest.raises(traitlets.TraitError):
        widget.z = [0, float("nan")]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"presets": [{"name": "no reason"}]}, "a preset has a name"),
        ({"presets": [PRESETS[0] | {"beta": 2.0}]}, "a preset has a name"),
        ({"goal": 0}, "goal is 0"),
        ({"goal": float("nan")}, "goal is nan"),
    ],
)
def test_other_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        MapForming(**options)


def test_it_has_a_picture_and_leaves_the_generators_alone(monkeypatch):
    import torch

    from widgets import map_forming

    short = map_forming._trained
    monkeypatch.setattr(map_forming, "_trained", lambda noise: short(noise, passes=1))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    picture = MapForming().poster()
    assert picture.startswith(b"\x89PNG") and torch.rand(1) == expected
