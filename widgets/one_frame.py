"""One frame at a time: a window over a sound, its spectrum as a column, and a mask to paint."""

from __future__ import annotations

import numpy as np
import traitlets as t

from .base import CourseWidget, within
from .denoise import mu_law
from .listen import spectrogram_picture

BANDS, FRAMES_A_CELL = 24, 4  # the mask's grid: of the frequencies; frames side by side


class OneFrame(CourseWidget, front="one_frame.js"):
    """Drag a window along a noisy sound, see its spectrum become a column, paint a mask, hear it.

    clean, noisy
        Two float arrays of one length, (samples,), 8,000 samples per second, within [-1, 1].
    frame
        The number of the frame that is shown at first.
    window, hop
        Of the short-time Fourier transform, in samples; the window is a power of two.

    Both sounds travel as 8-bit µ-law. With a kernel, ``widget.frame`` and ``widget.mask`` follow
    the page and can be set; the mask is bytes, 0 (away) to 255 (kept), 24 bands from low to high,
    and in each a cell for every four frames.  Raises ValueError for sounds of other shapes,
    TraitError for a frame that does not exist or a mask of another length.
    """

    _settings = t.Dict().tag(sync=True)
    _sounds = t.Bytes().tag(sync=True)
    frame = t.Int(0).tag(sync=True)
    mask = t.Bytes().tag(sync=True)
    alt = (
        "A noisy sound with a window over one frame, the spectrum of this frame, and the "
        "spectrogram in which that spectrum is one column."
    )

    def __init__(self, clean, noisy, frame: int = 0, *, window=512, hop=128, mask=None, alt=None):
        sounds = [np.asarray(x, dtype=float) for x in (clean, noisy)]
        samples = sounds[0].size
        if any(x.shape != (samples,) for x in sounds):
            raise ValueError("clean and noisy must be of one length, (samples,) each")
        if window < 64 or window & (window - 1) or not 1 <= hop <= window // 2 or samples < window:
            raise ValueError("window must be a power of two, hop at most half, sounds longer")
        frames = 1 + samples // hop
        self._frames, self._cells = frames, BANDS * -(-frames // FRAMES_A_CELL)
        self._noisy = sounds[1]
        super().__init__(
            _settings={
                "window": window,
                "hop": hop,
                "samples": samples,
                "bands": BANDS,
                "wide": FRAMES_A_CELL,
            },
            _sounds=b"".join(mu_law(x).tobytes() for x in sounds),
            frame=frame,
            mask=bytes([255]) * self._cells if mask is None else bytes(mask),
            alt=alt,
        )

    @t.validate("frame")
    def _check_frame(self, proposal):
        return within(proposal, 0, self._frames - 1)

    @t.validate("mask")
    def _check_mask(self, proposal):
        if len(proposal["value"]) != self._cells:
            raise t.TraitError(f"mask must hold {self._cells} bytes")
        return proposal["value"]

    def poster(self) -> bytes:
        """The noisy spectrogram: PNG."""
        import librosa

        size = {"n_fft": self._settings["window"], "hop_length": self._settings["hop"]}
        return spectrogram_picture({"noisy": abs(librosa.stft(self._noisy, **size))})
