"""GanGame: its settings, what it refuses, its picture."""

import pytest
import traitlets

from widgets.gan_game import GanGame

PRESETS = [
    {"name": "Healthy", "why": "Neither runs away."},
    {"name": "One spot", "why": "It circles.", "data": "blob", "r1": 0.0},
]


def test_settings_can_be_chosen_and_set():
    widget = GanGame(presets=PRESETS, data="moons", steps_d=5)
    assert widget._options["start"]["data"] == "moons" and widget._options["start"]["steps_d"] == 5
    widget.points, widget.data = [0.0, 0.5, -1.0, 1.5], "drawn"
    for name, value in (("r1", 0.5), ("rate", 1.0), ("points", [0.0]), ("points", [2.0, 0.0])):
        with pytest.raises(traitlets.TraitError):
            setattr(widget, name, value)


@pytest.mark.parametrize(
    "preset", [{"name": "no reason"}, {"name": "a", "why": "b", "points": [0, 0]}]
)
def test_a_preset_needs_a_reason_and_knows_its_settings(preset):
    with pytest.raises(ValueError, match="a preset has a name, a why"):
        GanGame(presets=[preset])


def test_it_has_a_picture_and_leaves_the_generators_alone():
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    picture = GanGame().poster()
    assert picture.startswith(b"\x89PNG") and torch.rand(1) == expected
