"""Listen's Python side: what travels, hostile input, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from utils import audio
from widgets import Listen

SAMPLES = 20_000


def takes(**more):
    rng = np.random.default_rng(0)
    voice = audio.make_noise("hum", SAMPLES, rng)
    return {"clean": voice, "noisy": voice + audio.make_noise("white", SAMPLES, rng), **more}


def files(widget):
    start, found = 0, []
    for size in widget._sizes:
        found.append(soundfile.read(io.BytesIO(widget._mp3[start : start + size])))
        start += size
    assert start == len(widget._mp3)
    return found


def test_each_take_travels_as_mp3():
    (clean, rate), (noisy, _) = files(Listen(takes()))
    assert rate == audio.RATE and len(clean) == len(noisy) == SAMPLES
    given = takes()
    factor = 0.8 / abs(given["noisy"]).max()
    for name, found in (("clean", clean), ("noisy", noisy)):
        # what is lost is far below the sound, and the loudness relative to each other is kept
        assert audio.rms(found - factor * given[name]) < 0.3 * audio.rms(found)
        assert audio.rms(found) == pytest.approx(factor * audio.rms(given[name]), rel=0.1)


def test_two_and_a_half_seconds_are_small():
    assert max(Listen(takes())._sizes) < 9_000


def test_notes_go_with_their_takes():
    assert Listen(takes(), {"noisy": "SI-SDR 0.0 dB"})._notes == {"1": "SI-SDR 0.0 dB"}


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        ({}, "1 to 9 takes"),
        ({str(k): np.zeros(SAMPLES) for k in range(10)}, "1 to 9 takes"),
        (takes(short=np.zeros(SAMPLES - 1)), "short: a take"),
        (takes(stereo=np.zeros((2, SAMPLES))), "stereo: a take"),
        (takes(bad=np.full(SAMPLES, np.nan)), "bad: a take"),
        ({"one sample": np.zeros(1)}, "at least 512 samples"),
    ],
)
def test_what_is_no_sound_is_an_error(sounds, message):
    with pytest.raises(ValueError, match=message):
        Listen(sounds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"notes": {"louder": "?"}}, "notes on no take: louder"),
        ({"window": 500}, "power of two"),
        ({"hop": 0}, "hop"),
    ],
)
def test_wrong_options_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        Listen(takes(), **options)


def test_static_picture():
    quiet = takes(silence=np.zeros(SAMPLES))
    assert min(Image.open(io.BytesIO(Listen(quiet).poster())).size) > 300
    assert Listen({"silence": np.zeros(SAMPLES)}).poster()
