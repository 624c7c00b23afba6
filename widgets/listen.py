"""Takes of one sound, to be switched while they play in step with their spectrograms."""

from __future__ import annotations

import io

import numpy as np
import traitlets as t

from utils import plots

from .base import CourseWidget

RATE = 8000  # samples a second, as in utils/audio.py, whose import takes long
MAX_TAKES = 9  # a number key for each
COMPRESSION = 0.2  # 0 for the largest MP3 files, 1 for the smallest


class Listen(CourseWidget, front="listen.js"):
    """Hear up to nine takes of one sound (noisy, enhanced, clean) in place of each other.

    takes
        A dict of names to samples, all of one length, at 8,000 samples a second.
    notes
        A dict of some of the names to what stands beside them, as "SI-SDR 9.1 dB".
    window, hop
        Of the spectrograms' short-time Fourier transform, in samples; window a power of two.

    The takes keep their loudness relative to each other. They travel as MP3, about 3 kB a second.
    Raises ValueError if they are empty, not finite, of different lengths or too many.
    """

    _settings = t.Dict().tag(sync=True)
    _names = t.List(t.Unicode()).tag(sync=True)
    _notes = t.Dict().tag(sync=True)
    _sizes = t.List(t.Int()).tag(sync=True)
    _mp3 = t.Bytes().tag(sync=True)

    def __init__(self, takes, notes=None, *, window: int = 512, hop: int = 128, alt=None):
        notes = dict(notes or {})
        takes = {str(name): np.asarray(x, dtype=np.float64) for name, x in takes.items()}
        if not 1 <= len(takes) <= MAX_TAKES:
            raise ValueError(f"1 to {MAX_TAKES} takes are needed, not {len(takes)}")
        samples = next(iter(takes.values())).size
        for name, x in takes.items():
            if x.shape != (samples,) or samples < window or not np.isfinite(x).all():
                raise ValueError(
                    f"{name}: a take must be finite, ({samples},) like the first, "
                    f"and at least {window} samples long"
                )
        if window < 4 or window & (window - 1) or not 1 <= hop <= window // 2:
            raise ValueError("window must be a power of two, hop at most half of it")
        if unknown := notes.keys() - takes.keys():
            raise ValueError(f"notes on no take: {', '.join(sorted(unknown))}")
        loudest = max(np.abs(x).max() for x in takes.values()) or 1
        files = [_mp3(0.8 * x / loudest) for x in takes.values()]
        self._takes = takes
        order = {name: str(k) for k, name in enumerate(takes)}
        super().__init__(
            _settings={"window": window, "hop": hop, "rate": RATE, "samples": samples},
            _names=list(takes),
            _notes={order[name]: str(note) for name, note in notes.items()},
            _sizes=[len(file) for file in files],
            _mp3=b"".join(files),
            alt=alt
            or f"Spectrograms of takes of one sound, to be listened to: {', '.join(takes)}.",
        )

    def poster(self) -> bytes:
        """The takes' spectrograms below each other, in dB below the loudest point of them all."""
        import librosa

        window, hop = self._settings["window"], self._settings["hop"]
        spectra = {
            n: abs(librosa.stft(x, n_fft=window, hop_length=hop)) for n, x in self._takes.items()
        }
        return spectrogram_picture(spectra)


def spectrogram_picture(magnitudes: dict[str, np.ndarray]) -> bytes:
    """PNG of spectrograms, name -> (bins, frames), below each other; 60 dB from dark to bright."""
    rows = len(magnitudes)
    fig, axes = plots.figure(rows, width=7.2, height=1.6 * rows, squeeze=False)
    loudest = max(float(np.max(m)) for m in magnitudes.values())
    for ax, (name, magnitude) in zip(axes[:, 0], magnitudes.items()):
        level = 20 * np.log10(np.maximum(np.asarray(magnitude) / (loudest or 1), 1e-6))
        ax.imshow(level, origin="lower", aspect="auto", vmin=-60, vmax=0, cmap="magma")
        ax.set_title(name, loc="left")
        ax.axis("off")
    return fig.png(16)  # noise in more colours would make a large file


def _mp3(samples: np.ndarray) -> bytes:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format="MP3", compression_level=COMPRESSION)
    return out.getvalue()
