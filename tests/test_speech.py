"""The speech data: from a folder, from a broken archive, from the synthesiser."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from utils import data

REAL = Path(os.environ.get("DL_COURSE_DATA", "") or "/nowhere")  # before any test unsets it
NAMES = [name for split in data.SPEAKERS.values() for name in split]


def archive(rate=8000, clips=60, channels=1, extra=()):
    """A small archive in the data set's layout: one clip for each digit and speaker."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        keys = [(d, s, 0) for d in range(10) for s in NAMES][:clips]
        for digit, speaker, take in keys:
            wav, length = io.BytesIO(), 100 + digit
            samples = np.full((length, channels), 0.1 * digit / 10)
            soundfile.write(wav, samples, rate, format="WAV")
            add(tar, f"fsdd/recordings/{digit}_{speaker}_{take}.wav", wav.getvalue())
        for name, content in extra:
            add(tar, name, content)
    return file.getvalue()


def add(tar, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """`place(content)` makes a folder with this archive the only source of speech."""
    monkeypatch.delenv("DL_COURSE_DATA", raising=False)
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    monkeypatch.setenv("DL_COURSE_CACHE", str(tmp_path / "cache"))
    data._speech.cache_clear()

    def place(content, folder="fsdd", damage=False):
        checksum = "sha256:" + hashlib.sha256(content).hexdigest()
        monkeypatch.setattr(data, "FSDD", data.FSDD._replace(checksum=checksum))
        where = tmp_path / "mine" / folder
        where.mkdir(parents=True)
        (where / data.FSDD.name).write_bytes(content[:-5] if damage else content)
        monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "mine"))
        data._speech.cache_clear()

    yield place
    data._speech.cache_clear()


def test_splits_share_no_speaker(place, capsys):
    place(archive())
    splits = {split: data.speech(split) for split in data.SPEAKERS}
    for split, found in splits.items():
        assert set(found.speakers) == set(data.SPEAKERS[split])
        assert len(found.clips) == len(found.digits) == 10 * len(data.SPEAKERS[split])
        assert found.source == "DL_COURSE_DATA"
        for clip, digit in zip(found.clips, found.digits):
            assert clip.dtype == np.float32 and clip.shape == (100 + digit,)
    assert "Speech train: 30 clips of 3 speakers (DL_COURSE_DATA)" in capsys.readouterr().out


def test_changing_a_clip_harms_no_one_else(place):
    place(archive())
    data.speech("test").clips[0][:] = 7
    assert data.speech("test").clips[0].max() < 1


def test_another_split_is_refused():
    with pytest.raises(ValueError, match="train, validation, test"):
        data.speech("dev")


def test_a_damaged_archive_is_an_error(place):
    place(archive(), damage=True)
    with pytest.raises(data.DataError, match="is damaged"):
        data.speech("train")


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        archive(rate=16000),
        archive(channels=2),
        archive(extra=[("fsdd/recordings/1_lucas_7.wav", b"no sound")]),
        archive()[:200],
    ],
)
def test_an_archive_of_something_else_is_an_error(place, content):
    place(content, folder=".")
    with pytest.raises(data.DataError, match=r"not an archive|not mono"):
        data.speech("train")


def test_nothing_is_unpacked_to_disk(place, tmp_path):
    place(archive(extra=[("../outside.wav", b"x"), ("fsdd/README.md", b"x")]))
    data.speech("train")
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert [p.name for p in files] == [data.FSDD.name]


@pytest.mark.slow
def test_without_anything_the_synthesiser_speaks(place, capsys):
    splits = {split: data.speech(split) for split in data.SPEAKERS}
    voices = [set(found.speakers) for found in splits.values()]
    assert [len(v) for v in voices] == [8, 2, 2] and len(set.union(*voices)) == 12
    for found in splits.values():
        assert found.source == "synthetic"
        assert all(1000 < len(clip) < 8000 and np.isfinite(clip).all() for clip in found.clips)
        assert sorted(set(found.digits)) == list(range(10))
    assert "synthetic" in capsys.readouterr().out


@pytest.mark.slow
def test_the_synthesiser_says_the_same_every_time():
    command = [sys.executable, "-m", "utils.espeak"]
    root = Path(data.__file__).parents[1]
    one, two = (subprocess.run(command, cwd=root, capture_output=True).stdout for _ in range(2))
    first, second = (np.load(io.BytesIO(made)) for made in (one, two))
    assert first.files == second.files and len(first.files) == 1200
    assert all((first[key] == second[key]).all() for key in first.files)


def test_without_the_synthesiser_the_way_out_is_named(place, monkeypatch):
    run = subprocess.run

    def broken(command, **kwargs):
        return run([sys.executable, "-c", "import espeak_that_is_not_there"], **kwargs)

    monkeypatch.setattr(data.subprocess, "run", broken)
    with pytest.raises(data.DataError, match="pip install espeakng-loader"):
        data.speech("train")


def test_a_long_path_of_the_synthesisers_data_is_named(place, monkeypatch):
    espeakng_loader = pytest.importorskip("espeakng_loader")
    long = "/" + "/".join(["nowhere" * 10] * 3)
    run = subprocess.run
    code = f"import espeakng_loader\nespeakng_loader.get_data_path = lambda: {long!r}\n"
    code += "from utils import espeak\nespeak.Synthesiser()"
    fake = lambda command, **kwargs: run([sys.executable, "-c", code], **kwargs)  # noqa: E731
    monkeypatch.setattr(data.subprocess, "run", fake)
    with pytest.raises(data.DataError, match=f"path of {len(long)} characters") as error:
        data.speech("train")
    assert "pip install" not in str(error.value) and espeakng_loader


@pytest.mark.skipif(
    not any((REAL / sub / data.FSDD.name).is_file() for sub in ("fsdd", ".")),
    reason="the recordings are not in DL_COURSE_DATA",
)
def test_the_real_recordings(monkeypatch):
    monkeypatch.setenv("DL_COURSE_DATA", str(REAL))
    data._speech.cache_clear()
    counts = {split: len(data.speech(split).clips) for split in data.SPEAKERS}
    data._speech.cache_clear()
    assert counts == {"train": 1500, "validation": 500, "test": 1000}
