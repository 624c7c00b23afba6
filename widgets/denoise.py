"""A packed denoiser that cleans, in the page, a mixture made there."""

from __future__ import annotations

import numpy as np
import traitlets as t

from .base import CourseWidget, Number, within
from .listen import spectrogram_picture
from .pack import Net, pack

NOISES = ("white", "pink", "hum", "clicks", "babble")
MAX_CLIPS = 6


class Denoise(CourseWidget, front="denoise.js"):
    """Choose clean speech, a noise and a level; see and hear it noisy, enhanced and clean.

    net
        An nn.Sequential that takes the features of one clip, (2 * bins, frames), and gives a mask
        in [0, 1], (bins, frames). Features and transforms are computed in js/denoise.js exactly as
        chapter 2 does.
    clips
        Clean speech, at most six float arrays of one length, 8,000 samples per second, within
        [-1, 1]; `names` says what each is.
    babble
        Voices to be mixed in as noise, of the same length.
    window, hop
        Of the short-time Fourier transform, in samples; the window is a power of two.
    pictures
        For the static picture: a dict of names to magnitudes, each (bins, frames).

    Speech travels as 8-bit µ-law, 8 kB a second. With a kernel, `widget.clip` (which one),
    `widget.noise` and `widget.snr` (dB) follow the page and can be set.
    """

    _net = Net()
    _settings = t.Dict().tag(sync=True)
    _clips = t.Bytes().tag(sync=True)
    _names = t.List(t.Unicode()).tag(sync=True)
    clip = t.Int(0).tag(sync=True)
    noise = t.Enum(NOISES, "white").tag(sync=True)
    snr = Number(0, min=-5, max=20).tag(sync=True)
    alt = (
        "Three spectrograms of the same words, one below the other: noisy, enhanced by the "
        "network, and clean."
    )

    def __init__(
        self,
        net,
        clips,
        names,
        babble,
        *,
        window: int,
        hop: int,
        pictures=None,
        dtype: str = "i8",
        alt=None,
        **chosen,
    ):
        clips, names = [np.asarray(c, dtype=float) for c in clips], list(map(str, names))
        babble = np.asarray(babble, dtype=float)
        if not 1 <= len(clips) <= MAX_CLIPS or len(names) != len(clips):
            raise ValueError(f"1 to {MAX_CLIPS} clips are needed, and a name for each")
        samples = len(clips[0]) if clips[0].ndim == 1 else 0
        if any(c.shape != (samples,) for c in (*clips, babble)):
            raise ValueError("clips and babble must be of one length, (samples,) each")
        if window < 4 or window & (window - 1) or not 1 <= hop <= window // 2 or samples < window:
            raise ValueError("window must be a power of two, hop at most half, clips longer")
        speech = b"".join(mu_law(c).tobytes() for c in (*clips, babble))
        bins, frames = window // 2 + 1, 1 + samples // hop
        mask = pack(net, (2 * bins, frames), dtype, outputs=bins * frames)
        self._pictures = pictures
        super().__init__(
            _net=mask,
            _settings={"window": window, "hop": hop, "samples": samples},
            _clips=speech,
            _names=names,
            alt=alt,
            **chosen,
        )

    @t.validate("clip")
    def _check_clip(self, proposal):
        return within(proposal, 0, len(self._names) - 1)

    def poster(self) -> bytes | None:
        """The given magnitudes below each other."""
        return spectrogram_picture(self._pictures) if self._pictures else None


def mu_law(samples: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as 255 logarithmic levels, uint8; ValueError outside or if not finite."""
    samples = np.asarray(samples, dtype=float)
    if not np.isfinite(samples).all() or np.abs(samples).max(initial=0) > 1:
        raise ValueError("speech must be finite and within [-1, 1]")
    bent = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    return np.rint(127 * bent + 127).astype(np.uint8)
