"""Seeds, minibatches, the stopwatch and figures."""

import io
import math
import re
import subprocess
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from utils import plots, runtime, training


@given(st.integers(1, 200), st.integers(1, 64))
def test_minibatches_visit_each_example_at_most_once(size, batch_size):
    batches = list(training.minibatches(size, batch_size))
    seen = torch.cat(batches)
    assert len(seen) == len(seen.unique()) and seen.max() < size
    assert all(len(b) == min(batch_size, size) for b in batches)
    assert size - len(seen) < batch_size


def test_seed_repeats_all_generators():
    draws = []
    for _ in range(2):
        runtime.seed_everything(5)
        draws.append((torch.rand(3).tolist(), np.random.rand(3).tolist()))
    assert draws[0] == draws[1]


def test_averaged_weights_are_the_stated_mean():
    model = torch.nn.Linear(3, 2)
    average, expected = training.average_weights(model, steps=10), None
    for n in range(40):
        with torch.no_grad():
            model.weight.normal_()
        average.update_parameters(model)
        keep = min(0.9, (1 + n) / (10 + n))
        new = model.weight.detach().clone()
        expected = new if n == 0 else keep * expected + (1 - keep) * new
    torch.testing.assert_close(average.module.weight, expected)
    assert not torch.equal(average.module.weight, model.weight)


@pytest.mark.alone
def test_stopwatch_counts_only_inside():
    watch = training.Stopwatch()
    for _ in range(2):
        with watch:
            time.sleep(0.02)
        time.sleep(0.05)
    assert 0.04 <= watch.seconds < 0.09


def test_missing_packages_are_installed_and_torch_never(monkeypatch):
    commands, code = [], 0

    def pip(command, check):
        commands.append(command)
        return subprocess.CompletedProcess(command, code)

    there = [d for d in metadata.distributions() if d.name not in ("pooch", "torch", "torchaudio")]
    monkeypatch.setattr(runtime.metadata, "distributions", lambda: there)
    monkeypatch.setattr(runtime.subprocess, "run", pip)
    assert runtime.install_missing() == ["pooch"]
    assert commands[0][-2:] == ["--quiet", "pooch"]
    code = 1
    with pytest.raises(SystemExit, match="packages are missing, and pip failed: pooch"):
        runtime.install_missing()


def test_nothing_is_installed_where_all_is_there(monkeypatch):
    monkeypatch.setattr(runtime.subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    assert runtime.install_missing() == []
    monkeypatch.setattr(runtime, "PACKAGES", Path("nowhere"))  # the course copied without dotfiles
    assert runtime.install_missing() == []


def test_figure_displays_itself_and_leaves_matplotlib_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    fig, ax = plots.figure()
    ax.plot([0, 1])
    data, metadata = fig._repr_mimebundle_()
    picture = Image.open(io.BytesIO(data["image/png"]))
    assert picture.mode == "P" and picture.width == pytest.approx(
        2 * metadata["image/png"]["width"], abs=1
    )
    assert data["text/plain"] == "<Figure>" and dict(matplotlib.rcParams) == before


def test_image_grid_takes_any_number_of_images():
    for count in (1, 10, 13):
        fig = plots.image_grid(np.zeros((count, 28, 28)), ["title"] * count)
        assert len(fig.axes) == 1 and len(fig.axes[0].texts) == count
    with pytest.raises(ValueError, match="mosaic takes"):
        plots.image_grid(np.zeros((28, 28)))
    with pytest.raises(ValueError, match="mosaic takes"):
        plots.image_grid(np.zeros((2, 28, 28)), ["one title"])


BOXES = {"in": (0, 0), "net": (2, 0, "network\n$Wx$"), "out": (4, 0), "loss": (4, -1)}
LINKS = [
    ("in", "net"),
    ("net", "out", {"label": "logits", "bend": 0.3}),
    ("out", "net", {"label": "gradient", "bend": 0.3, "color": plots.RED, "ls": "--"}),
    ("out", "loss"),
]


def test_flow_draws_boxes_and_arrows_that_can_be_read():
    fig = plots.flow(BOXES, LINKS)
    (ax,) = fig.axes
    texts = {text.get_text(): text for text in ax.texts if text.get_text()}
    assert set(texts) == {"in", "network\n$Wx$", "out", "loss", "logits", "gradient"}
    assert sum(text.arrow_patch is not None for text in ax.texts if not text.get_text()) == 4
    above, below = (texts[label].get_position()[1] for label in ("logits", "gradient"))
    assert above > 0 > below  # each to the left of its own arrow
    width = Image.open(io.BytesIO(fig.png())).width / 2  # pixels in the page
    assert width <= 690
    for text in texts.values():
        assert text.get_fontsize() / 72 * 160 / 2 >= 12, "at 96 pixels an inch, 9 points"
    frames = [texts[t].get_window_extent() for t in ("in", "network\n$Wx$", "out", "loss")]
    assert all(fig.bbox.x0 <= f.x0 and f.x1 <= fig.bbox.x1 for f in frames)
    assert not any(a.overlaps(b) for a in frames for b in frames if a is not b)


def test_flow_can_go_down_and_names_a_box_that_is_not_there():
    assert plots.flow({"a": (0, 0), "b": (0, -1)}, [("a", "b")]).get_figheight() < 3
    with pytest.raises(ValueError, match="'in' to 'nowhere'"):
        plots.flow(BOXES, [("in", "nowhere")])


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("epochs", 0, "epochs = 0, but it takes a whole number from 1 to 1,000"),
        ("epochs", 2.5, "epochs = 2.5, but"),
        ("rate", math.nan, "rate = nan, but it takes a number from 0.0 to 1.0"),
        ("seeds", 0, "seeds = 0, but it takes a tuple of whole numbers from 0 to 99"),
        ("seeds", "(0,)", "seeds = '(0,)', but"),
        ("seeds", (), "seeds = (), but"),
        ("seeds", (1, 100), "seeds = (1, 100), but"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_its_range(name, value, words):
    fine = {"epochs": 3, "rate": 0, "seeds": [0, 1]}
    ranges = {"epochs": (1, 1000), "rate": (0.0, 1.0), "seeds": [(0, 99)]}
    runtime.check_parameters(fine, **ranges)
    with pytest.raises(ValueError, match=re.escape(words)):
        runtime.check_parameters(fine | {name: value}, **ranges)


def test_a_missed_bound_is_said_and_an_error_where_the_course_checks_itself(monkeypatch, capsys):
    runtime.expect(True, "not said")
    with pytest.raises(AssertionError, match="accuracy 91 %, not 98 %"):
        runtime.expect(False, "accuracy 91 %, not 98 %")
    monkeypatch.delenv("DL_COURSE_CHECK")
    runtime.expect(False, "accuracy 91 %, not 98 %")
    assert capsys.readouterr().out == "Not as in the published run: accuracy 91 %, not 98 %\n"
