"""Sound for chapter 2: read any file, make noise of several kinds, mix at a set level.

All sound is float32, mono, `RATE` samples per second. Everything random comes from a generator
that the caller seeds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .data import SPEECH_RATE as RATE

LONGEST = 60  # seconds that `read` takes from a file
SYNTHETIC_NOISES = ("white", "pink", "brown", "hum", "clicks", "beeps")


def read(file, *, longest: float = LONGEST) -> np.ndarray:
    """A sound file as float32 (samples,) in [-1, 1], mono, at `RATE`; at most `longest` seconds.

    Channels are averaged (of two that cancel each other the first is taken) and other rates are
    resampled (scipy's polyphase filter). Silence and a single sample are fine. Raises ValueError,
    with the file's name and the reason, for a file that is missing, empty, no sound, without
    samples, at a rate outside 1 to 768 kHz, or with values that are NaN or infinite.
    """
    import soundfile
    from scipy.signal import resample_poly

    name = Path(file).name if isinstance(file, (str, Path)) else "the file"
    try:
        with soundfile.SoundFile(file) as sound:
            rate = sound.samplerate
            if not 1_000 <= rate <= 768_000:
                raise ValueError(f"{name} claims {rate:,} samples a second, not 1 to 768 kHz")
            samples = sound.read(int(longest * rate), dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError, TypeError) as error:
        formats = "WAV, FLAC, Ogg and MP3 can be; convert m4a and webm to one of them"
        raise ValueError(f"{name} cannot be read as sound: {error} ({formats})") from error
    if not len(samples):
        raise ValueError(f"{name} holds no samples")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} holds values that are NaN or infinite")
    mono = samples.mean(1)
    if rms(mono) < 0.01 * rms(samples):
        mono = samples[:, 0]
    if rate != RATE:
        divisor = int(np.gcd(rate, RATE))
        mono = resample_poly(mono.astype(float), RATE // divisor, rate // divisor)
    return np.clip(mono, -1, 1).astype(np.float32)


def rms(x) -> float:
    """Root mean square; 0 for silence."""
    return float(np.sqrt(np.mean(np.square(x, dtype=float))))


def level(x, target: float = 0.05) -> np.ndarray:
    """x without its mean, at the given root mean square; silence stays silent. float32."""
    x = np.asarray(x, dtype=float)
    x = x - x.mean()
    return (x * (target / (rms(x) or 1))).astype(np.float32)


def mix(clean, noise, snr_db: float) -> tuple[np.ndarray, np.ndarray]:
    """clean + scaled noise, and the scaled noise, so that 10 log10(P_clean / P_noise) = `snr_db`.

    Both (samples,). Powers are means over all samples, pauses included. Raises ValueError where no
    factor gives that ratio: for silence on either side, different lengths, or numbers that are not
    finite.
    """
    clean, noise = np.asarray(clean, dtype=float), np.asarray(noise, dtype=float)
    if clean.shape != noise.shape or clean.ndim != 1:
        raise ValueError(f"clean {clean.shape} and noise {noise.shape} must be of one length")
    loud, quiet = rms(clean), rms(noise)
    if not np.isfinite([loud, quiet, snr_db]).all():
        raise ValueError("values that are NaN or infinite cannot be mixed")
    if loud == 0 or quiet == 0:
        raise ValueError("silence has no signal-to-noise ratio")
    noise = noise * (loud / quiet / 10 ** (snr_db / 20))
    return (clean + noise).astype(np.float32), noise.astype(np.float32)


def make_noise(kind: str, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of one of `SYNTHETIC_NOISES`, (samples,), mean 0 and root mean square 0.05.

    white, pink (power falls as 1/f), brown (1/f^2), hum (mains at 50 or 60 Hz with its harmonics),
    clicks (short decaying bursts, on average eight a second), beeps (tones that come and go).
    Raises ValueError for another kind, or fewer than two samples.
    """
    if kind not in SYNTHETIC_NOISES:
        raise ValueError(f"kind must be one of {', '.join(SYNTHETIC_NOISES)}, not {kind!r}")
    if samples < 2:
        raise ValueError(f"{samples} samples are too few for noise")
    time = np.arange(samples) / RATE
    if kind in ("white", "pink", "brown"):
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        power = {"white": 0, "pink": 0.5, "brown": 1}[kind]
        frequency = np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 20)  # flat below 20 Hz
        noise = np.fft.irfft(spectrum / frequency**power, samples)
    elif kind == "hum":
        mains = rng.choice((50.0, 60.0)) * rng.uniform(0.995, 1.005)
        harmonics = np.arange(1, 13)[:, None]
        phase, strength = rng.uniform(0, 2 * np.pi, (12, 1)), rng.uniform(0.2, 1, (12, 1))
        waves = np.sin(2 * np.pi * mains * harmonics * time + phase)
        noise = (strength / harmonics * waves).sum(0)
    elif kind == "clicks":
        noise = np.zeros(samples)
        for start in rng.integers(samples, size=1 + rng.poisson(8 * samples / RATE)):
            length = min(samples - start, int(rng.integers(8, 80)))
            decay = np.exp(-5 * np.arange(length) / length)
            noise[start : start + length] += (
                rng.uniform(0.3, 1) * decay * rng.standard_normal(length)
            )
    else:
        noise, start = np.zeros(samples), 0
        while start < samples:
            length = min(samples - start, int(rng.uniform(0.05, 0.4) * RATE))
            tone = np.sin(2 * np.pi * rng.uniform(300, 3000) * time[:length])
            noise[start : start + length] += tone * np.hanning(length)
            start += length + int(rng.uniform(0, 0.3) * RATE)
    return level(noise)


def recorded_noise(place: str) -> np.ndarray:
    """ "party", "restaurant" or "babble" as the package phonlab ships it, at `RATE`, levelled.

    Its provenance is not stated: measure with it, publish no sound made from it. phonlab itself is
    not imported. Raises ValueError if the file is not there.
    """
    spec = importlib.util.find_spec("phonlab")
    if spec is None or place not in ("party", "restaurant", "babble"):
        raise ValueError(f"no recorded noise {place!r}: pip install phonlab")
    return level(read(Path(spec.origin).parent / "data" / "noise" / f"{place}.wav"))


def make_babble(
    clips: Sequence[np.ndarray], samples: int, rng: np.random.Generator, voices: int = 6
) -> np.ndarray:
    """Several voices at once, (samples,): each a chain of random clips, all equally loud.

    Hold out the clips that may be heard in a test from those used in training. Raises ValueError
    without a clip that is not silent.
    """
    clips = [clip for clip in clips if len(clip) and rms(clip) > 0]
    if not clips:
        raise ValueError("babble needs at least one clip that is not silent")
    total = np.zeros(samples)
    for _ in range(voices):
        parts, length = [], 0
        while length < 2 * samples:
            parts.append(level(clips[rng.integers(len(clips))]))
            length += len(parts[-1])
        start = int(rng.integers(length - samples + 1))
        total += np.concatenate(parts)[start : start + samples]
    return level(total)
