"""OneFrame: what it refuses, what travels, its picture."""

import numpy as np
import pytest
import traitlets

from utils import audio
from widgets.one_frame import OneFrame

SAMPLES = 128 * 99  # 100 frames: 24 bands of 25 cells


def make(**options):
    rng = np.random.default_rng(0)
    clean = 0.1 * np.sin(2 * np.pi * 500 * np.arange(SAMPLES) / 8000)
    noisy, _ = audio.mix(clean, audio.make_noise("white", SAMPLES, rng), 0)
    return OneFrame(clean, noisy, **{"frame": 40} | options)


def test_it_begins_with_everything_kept():
    widget = make()
    assert widget.mask == bytes([255]) * 600 and widget.frame == 40
    assert len(widget._sounds) == 2 * SAMPLES


@pytest.mark.parametrize("change", [{"frame": 100}, {"frame": -1}, {"mask": b"too short"}])
def test_other_values_are_refused(change):
    widget = make()
    with pytest.raises(traitlets.TraitError):
        widget.set_trait(*next(iter(change.items())))
    with pytest.raises(traitlets.TraitError):
        make(**change)


def test_sounds_of_other_shapes_are_refused():
    row = np.zeros(SAMPLES)
    for wrong in ((row, row[1:]), (row[None], row[None]), (row[:100], row[:100]), (row + 2, row)):
        with pytest.raises(ValueError, match="must be"):
            OneFrame(*wrong)
    with pytest.raises(ValueError, match="power of two"):
        OneFrame(row, row, window=500)


def test_it_has_a_picture():
    assert make().poster().startswith(b"\x89PNG")
