"""Spoken digits from the synthesiser eSpeak NG: the offline default of chapter 2.

    python -m utils.espeak > digits.npz

Run as a process of its own, so that nothing depends on what was said before. eSpeak NG (GPL 3)
comes as a shared library in the package espeakng-loader, and is called through ctypes.
"""

from __future__ import annotations

import ctypes
import io
import sys

import numpy as np

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TAKES = 10
RATE = 8000  # samples per second, the recordings' own

# Men and women; the last four are never trained on (utils/data.py).
VOICES = ("m1", "m2", "m3", "m4", "m5", "f1", "f2", "f3", "m7", "f4", "m6", "f5")

_SYNCHRONOUS, _UTF8, _STAY = 2, 1, 0x8000  # stay: it would end the process on an error
_SPEED, _PITCH, _RANGE = 1, 3, 4


class Synthesiser:
    """eSpeak with one voice at a time. Raises RuntimeError if it cannot be used."""

    def __init__(self):
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        folder = espeakng_loader.get_data_path().encode()
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, folder, _STAY)
        if self.rate <= 0:
            long = f": a path of {len(folder)} characters may be too long" * (len(folder) > 150)
            raise RuntimeError(f"eSpeak NG does not start with {folder.decode()}{long}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else the time: it hisses at random
        self._parts: list[np.ndarray] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._callback = kind(self._receive)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples, count, _):
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: str, speed: int, pitch: int, range_: int) -> np.ndarray:
        """float64 samples in [-1, 1] at `rate`."""
        if self._library.espeak_SetVoiceByName(f"en+{voice}".encode()):
            raise RuntimeError(f"eSpeak NG has no voice {voice!r}")  # it would keep the old one
        for parameter, value in ((_SPEED, speed), (_PITCH, pitch), (_RANGE, range_)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._parts.clear()
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        if not self._parts:
            raise RuntimeError(f"eSpeak NG says nothing for {text!r}")
        return np.concatenate(self._parts) / 32768


def digits() -> dict[str, np.ndarray]:
    """By "digit|voice|take": float32 samples at `RATE`, of one loudness, the same every time."""
    from scipy.signal import resample_poly

    speaker, rng, found = Synthesiser(), np.random.default_rng(0), {}
    for voice in VOICES:
        for digit, word in enumerate(WORDS):
            for take in range(TAKES):
                manner = rng.integers((130, 35, 30), (211, 66, 71))
                said = speaker.say(word, voice, *map(int, manner))
                loud = np.flatnonzero(np.abs(said) > 0.01)
                said = resample_poly(said[loud[0] : loud[-1] + 1], RATE, speaker.rate)
                said *= 0.1 / np.sqrt((said**2).mean())  # some voices are much quieter
                found[f"{digit}|{voice}|{take}"] = said.clip(-1, 1).astype(np.float32)
    return found


if __name__ == "__main__":
    out = io.BytesIO()
    np.savez(out, **digits())
    sys.stdout.buffer.write(out.getvalue())
