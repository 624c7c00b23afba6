"""The digits to train on in the page: what Python sends, and the file that the site ships."""

import base64
import re
import zlib

import numpy as np
import pytest

from book.digits import TARGET
from utils import data
from widgets.training_digits import TrainsInPage, training_digits

SCRIPT = re.compile(r'held_out: (\d+),\n  labels: "(\d+)",\n  pixels: "([^"]+)"')


def unpack(pixels):
    packed = np.frombuffer(zlib.decompress(pixels), np.uint8)
    return np.stack([packed >> 4, packed & 15], axis=1).reshape(-1, 784)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    monkeypatch.delenv("DL_COURSE_DATA", raising=False)
    monkeypatch.setenv("DL_COURSE_CACHE", str(tmp_path))
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")


def test_python_sends_digits_of_the_training_images(offline):
    found = training_digits()
    pictures, digits = unpack(found["pixels"]), data.mnist("train")
    levels = np.rint(digits.images.numpy().reshape(-1, 784) * 15)
    known = {row.tobytes() for row in levels.astype(np.uint8)}
    assert len(pictures) == len(found["labels"]) and 0 < found["held_out"] <= 1000
    assert {row.tobytes() for row in pictures.astype(np.uint8)} <= known
    # held out: from the last sixth, in order
    assert found["labels"][-1] == str(int(digits.labels[-1]))


def test_the_figure_gets_them_when_it_asks(offline):
    class Asks(TrainsInPage):
        pass

    figure = Asks()
    assert figure._digits == {}  # a saved figure carries none
    figure._digits_wanted = True
    assert set(figure._digits) == {"pixels", "labels", "held_out"}


def test_the_sites_file_is_small_and_keeps_training_and_held_out_apart():
    text = TARGET.read_text(encoding="ascii")
    assert len(text) <= 600_000
    assert "Yann LeCun and Corinna Cortes, CC BY-SA 3.0" in text
    held_out, labels, pixels = SCRIPT.search(text).groups()
    pictures = unpack(base64.b85decode(pixels))
    assert (len(labels), len(pictures), int(held_out)) == (5000, 5000, 1000)
    assert min(np.bincount(list(map(int, labels[:4000])))) > 300
    training, held = (
        {row.tobytes() for row in part} for part in (pictures[:4000], pictures[4000:])
    )
    assert len(training) == 4000 and len(held) == 1000 and not training & held


@pytest.mark.slow
def test_the_sites_file_is_what_the_command_makes():
    from book import digits

    source = data.mnist("train").source
    if source == "offline subset":
        with pytest.raises(RuntimeError, match="DL_COURSE_DATA"):
            digits.script()
    else:
        assert digits.script() == TARGET.read_text(encoding="ascii")
