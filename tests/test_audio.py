"""Reading hostile files, noise of each kind, mixing at a level."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import audio

RATE = audio.RATE


def tone(seconds=0.5, rate=RATE, frequency=440.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def wav(samples, rate=RATE, subtype="PCM_16", name="x.wav"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=name.rsplit(".")[-1].upper())
    file.seek(0)
    return file


# ---- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_a_plain_file_comes_back(subtype):
    found = audio.read(wav(tone(), subtype=subtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, tone(), atol=0.01 if subtype == "PCM_U8" else 1e-4)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 96000])
def test_any_rate_is_resampled(rate):
    found = audio.read(wav(tone(1, rate), rate))
    assert abs(len(found) - RATE) <= 1
    middle = slice(800, 7200)
    np.testing.assert_allclose(found[middle], tone(1)[: len(found)][middle], atol=0.02)


def test_channels_are_averaged():
    found = audio.read(wav(np.stack([tone(), -tone() / 2], 1)))
    np.testing.assert_allclose(found, tone() / 4, atol=1e-4)
    np.testing.assert_allclose(audio.read(wav(np.stack([tone()] * 4, 1))), tone(), atol=1e-4)


def test_channels_that_cancel_each_other_are_heard():
    found = audio.read(wav(np.stack([tone(), -tone()], 1)))
    np.testing.assert_allclose(found, tone(), atol=1e-4)


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2**31 - 1])
def test_a_rate_that_cannot_be_is_refused(rate):
    sound = bytearray(wav(tone()).getvalue())
    sound[24:28] = rate.to_bytes(4, "little")  # in the header
    with pytest.raises(ValueError, match=f"claims {rate:,} samples a second"):
        audio.read(io.BytesIO(sound))


def test_what_a_phone_records_is_told_which_formats_can_be_read(tmp_path):
    (tmp_path / "voice.m4a").write_bytes(b"\0\0\0 ftypM4A " + bytes(100))
    with pytest.raises(ValueError, match="voice.m4a cannot be read.*WAV, FLAC.*convert m4a"):
        audio.read(tmp_path / "voice.m4a")


def test_silence_one_sample_and_clipping_are_fine():
    assert not audio.read(wav(np.zeros(100))).any()
    assert audio.read(wav(np.array([0.25]))).shape == (1,)
    assert np.abs(audio.read(wav(4 * tone(), subtype="FLOAT"))).max() == 1


def test_a_long_file_is_cut():
    assert len(audio.read(wav(tone(3)), longest=1)) == RATE


def test_a_path_is_read(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone()).getvalue())
    assert len(audio.read(tmp_path / "a.wav")) == len(audio.read(str(tmp_path / "a.wav"))) == 4000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as sound"),
        (b"once upon a time, this was no sound at all", "cannot be read as sound"),
        (wav(tone()).getvalue()[:20], "cannot be read as sound"),
        (wav(np.zeros(0)).getvalue(), "no samples"),
        (wav(np.array([0, np.nan, 1]), subtype="FLOAT").getvalue(), "NaN or infinite"),
    ],
    ids=["empty", "text", "cut off", "no samples", "NaN"],  # a WAV file holds the time
)
def test_files_that_are_no_sound_say_so(tmp_path, content, message):
    (tmp_path / "voice.wav").write_bytes(content)
    with pytest.raises(ValueError, match=f"voice.wav .*{message}"):
        audio.read(tmp_path / "voice.wav")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ValueError, match="none.wav cannot be read"):
        audio.read(tmp_path / "none.wav")


# ---- levels -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.floats(-30, 40), st.floats(1e-3, 10), st.integers(0, 100))
def test_the_mixture_has_the_ratio_asked_for(snr_db, loudness, seed):
    rng = np.random.default_rng(seed)
    clean, noise = loudness * rng.standard_normal(500), rng.standard_normal(500)
    noisy, scaled = audio.mix(clean, noise, snr_db)
    assert 20 * np.log10(audio.rms(clean) / audio.rms(scaled)) == pytest.approx(snr_db, abs=1e-3)
    np.testing.assert_allclose(noisy, clean + scaled, atol=1e-5 * (1 + np.abs(noisy).max()))


@pytest.mark.parametrize(
    ("clean", "noise", "message"),
    [
        (np.zeros(5), np.ones(5), "silence"),
        (np.ones(5), np.zeros(5), "silence"),
        (np.ones(5), np.ones(4), "one length"),
        (np.ones((5, 2)), np.ones((5, 2)), "one length"),
        (np.array([1, np.nan]), np.ones(2), "NaN"),
    ],
)
def test_what_cannot_be_mixed_says_why(clean, noise, message):
    with pytest.raises(ValueError, match=message):
        audio.mix(clean, noise, 0)


def test_level_removes_the_mean_and_keeps_silence():
    x = audio.level(3 + tone(), 0.1)
    assert abs(x.mean()) < 1e-6 and audio.rms(x) == pytest.approx(0.1, rel=1e-4)
    assert not audio.level(np.full(10, 0.7)).any()


# ---- noise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", audio.SYNTHETIC_NOISES)
@pytest.mark.parametrize("samples", [2, 401, 20_000])
def test_noise_has_its_level_and_follows_its_seed(kind, samples):
    one, two, other = (
        audio.make_noise(kind, samples, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one.shape == (samples,) and one.dtype == np.float32 and np.isfinite(one).all()
    assert (one == two).all()
    if samples > 100:
        assert audio.rms(one) == pytest.approx(0.05, rel=1e-3) and abs(one.mean()) < 1e-4
        assert (one != other).any()


@pytest.mark.parametrize(("kind", "slope"), [("white", 0), ("pink", -1), ("brown", -2)])
def test_spectra_fall_as_they_should(kind, slope):
    power, frequency = 0, np.fft.rfftfreq(8192, 1 / RATE)[20:3000]
    for seed in range(20):
        noise = audio.make_noise(kind, 8192, np.random.default_rng(seed))
        power = power + np.abs(np.fft.rfft(noise))[20:3000] ** 2
    found = np.polyfit(np.log(frequency), np.log(power), 1)[0]
    assert found == pytest.approx(slope, abs=0.1)


def test_babble_is_made_of_the_clips():
    clips = [tone(0.2, frequency=f) for f in (300, 700)]
    babble = audio.make_babble(clips, 8000, np.random.default_rng(0))
    assert babble.shape == (8000,) and audio.rms(babble) == pytest.approx(0.05, rel=1e-3)
    spectrum = np.abs(np.fft.rfft(babble)) ** 2
    near = [abs(np.fft.rfftfreq(8000, 1 / RATE) - f) < 20 for f in (300, 700)]
    assert sum(spectrum[n].sum() for n in near) > 0.8 * spectrum.sum()


def test_bad_requests_for_noise_say_why():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one of white"):
        audio.make_noise("purple", 100, rng)
    with pytest.raises(ValueError, match="too few"):
        audio.make_noise("white", 1, rng)
    with pytest.raises(ValueError, match="not silent"):
        audio.make_babble([np.zeros(10), np.zeros(0)], 100, rng)


@pytest.mark.parametrize("place", ["party", "restaurant", "babble"])
def test_recorded_noise(place):
    noise = audio.recorded_noise(place)
    assert len(noise) > 10 * audio.RATE and audio.rms(noise) == pytest.approx(0.05, rel=1e-3)


def test_recorded_noise_that_is_not_there():
    with pytest.raises(ValueError, match="phonlab"):
        audio.recorded_noise("../../setup")
