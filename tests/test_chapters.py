"""Every chapter: in order, well formed, runs reduced and offline, and notices planted bugs."""

import ast
import os
import re
import statistics
import subprocess
import sys

import nbformat
import pytest

from book import notebooks, records
from tests.chapter import IGNORED, changed_when_run_again, first_red, read, strict_cells, tags
from utils import results

ROOT = notebooks.ROOT
CHAPTERS = notebooks.chapters()
# nbval runs all nine at every push, and papermill two of the quickest: one by the command line,
# another whose cells then run again.  Papermill runs all nine in both ways every week.
BY_COMMAND, AGAIN = "04", "03"
# Chapters with a cell that does not run again as it ran, each until its next full run.
NOT_YET_AGAIN = {}

# One wrong line in a chapter's central functions, each of which a strictly compared cell must
# turn red: (chapter, right, wrong).
PLANTED = [
    ("01", "(log_sum_exp(logits) - true_score).mean()", "(log_sum_exp(logits) - true_score).sum()"),
    ("01", "e = (z - z.amax(1, keepdim=True)).exp()", "e = z.exp()"),
    ("01", "dZ = (softmax(Z64) - y) / len(c)", "dZ = softmax(Z64) / len(c) - y"),
    ("01", "padding=(0, pad))\n    return smooth", "padding=(0, pad)).abs()\n    return smooth"),
    ("01", "(right - mean_confidence).abs()", "(right - mean_confidence)"),
    ("01", "cross_entropy(logits / t, labels)", "cross_entropy(logits * t, labels)"),
    ("02", "10 ** (torch.as_tensor(snr) / 10)", "10 ** (torch.as_tensor(snr) / 20)"),
    ("02", "wanted = scale * target", "wanted = target"),
    ("02", "magnitude / (level + 1e-9) + 1e-3", "magnitude + 1e-3"),
    ("02", "noise.abs() ** 2 + 1e-12", "noise.abs() + 1e-12"),
    ("02", "return x + self.net(x)", "return self.net(x)"),
    ("02", '"padding": gap, "dilation": gap', '"padding": 1, "dilation": 1'),
    ("02", "(speech / (speech + noise + 1e-12)).real", "(speech / (speech + noise + 1e-12)).abs()"),
    ("02", "return complex(cosine, -sine)", "return complex(cosine, sine)"),
    ("02", "return torch.hann_window(window).sqrt()", "return torch.hann_window(window)"),
    ("02", "return 10 * torch.log10(share", "return 20 * torch.log10(share"),
    ("03", "np.tanh: lambda hidden: 1 - hidden**2", "np.tanh: lambda hidden: 1 - hidden"),
    ("03", "delta2 /= len(labels)\n    delta1", "delta1"),
    ("03", "labels]).mean()", "labels]).sum()"),
    ("03", "velocity[name] *= momentum", "velocity[name] *= 1"),
    ("03", "gradient[i] = loss(value).imag / step", "gradient[i] = loss(value).real / step"),
    ("04", "1 - self.value**2", "1 - self.value"),
    ("04", " - self.normal * along)", ")"),
    ("04", "return delta + super().backward(delta)", "return super().backward(delta)"),
    ("04", 'return delta @ self.params["weight"]', 'return delta @ self.params["weight"] / 2'),
    ("04", "factors.append(gain * math.sqrt", "factors.append(gain**2 * math.sqrt"),
    ("05", "return u[:, :rank] * s[:rank], vt[:rank]", "return u[:, :rank], vt[:rank]"),
    ("05", "shift = u.T @ (layer.bias - mean)", "shift = u.T @ layer.bias"),
    ("05", "vectors.flip(1), values.flip(0)", "vectors, values.flip(0)"),
    ("05", "ranks[k] * (n + m))", "ranks[k] * n * m)"),
    ("05", "shift=-u.T @ (M @ x_mean)", "shift=u.T @ (M @ x_mean)"),
    ("05", "arriving = second(first(arriving))", "arriving = target"),
    ("05", "left -= chosen[0] * prices[0]", "left -= chosen[0]"),
    ("06", "logvar.exp() - logvar - 1)", "logvar.exp() + logvar - 1)"),
    ("06", "return mu + (logvar / 2).exp() * noise", "return mu + logvar.exp() * noise"),
    ("06", 'reduction="none").sum(-1)', 'reduction="none").mean(-1)'),
    ("06", "log_likelihood + log_prior - log_q)", "log_likelihood + log_prior)"),
    ("06", "bias.mul_(1 + scale).add_(shift)", "bias.add_(shift)"),
    ("07", "scores.data -= 2 *", "scores.data -= 1e-4 *"),
    ("07", "used = F.softplus(-D_values).sum()", "used = F.softplus(D_values).sum()"),
    ("07", "m = (p + q) / 2", "m = p + q"),
    ("07", "scores + (self.embed(weights)", "scores + 0 * (self.embed(weights)"),
    ("07", "0.5 * slope.square().sum((1, 2)).mean()", "0.5 * slope.square().mean((1, 2)).mean()"),
    ("07", "detective(forged.detach())", "detective(forged)"),
    ("07", "correction=0) + 1e-8", "correction=0)"),
    ("08", "CENTRE = slice(9, 19)", "CENTRE = slice(8, 18)"),
    ("08", "(realism + weight * error)", "(realism + weight + error)"),
    ("08", "F.pad(inside, (9, 9, 9, 9))", "F.pad(inside, (8, 10, 9, 9))"),
    ("08", "self.told * (asked * f)", "0 * (asked * f)"),
    ("08", "((first - second).abs() * OUTSIDE)", "((first - second).abs())"),
    ("08", "nn.init.zeros_(last.weight)", "pass"),
    ("08", "centre_error(fake.detach(), patch)).mean()", "centre_error(fake, patch)).mean()"),
    ("09", "transpose(2, 3).reshape(-1, 16, 49)", "reshape(-1, 16, 49)"),
    ("09", "i.sigmoid() * g.tanh()", "i.sigmoid() * g.sigmoid()"),
    ("09", "mean = (left + right) / 2", "mean = left"),
    ("09", "outputs[:, None] > inputs if strict", "outputs[:, None] >= inputs if strict"),
    ("09", "above = shifted(patches, 1), shifted", "above = patches, shifted"),
    ("09", "torch.arange(49), right=True)", "torch.arange(49), right=False)"),
]  # fmt: skip


@pytest.fixture(params=CHAPTERS, ids=lambda p: p.stem)
def chapter(request):
    return request.param


@pytest.fixture
def nb(chapter):
    return nbformat.read(chapter, 4)


def test_chapter_is_in_order(chapter):
    assert notebooks.problems(chapter) == []


def test_record_is_complete_and_inside_what_it_expects(chapter):
    record = records.read(chapter)
    assert record["run"] == "full" and record["chapter"] == chapter.name[:2]
    bibliography = (ROOT / "references.bib").read_text(encoding="utf8")
    for row in record["results"]:
        low, high = row["expected"]
        assert low <= row["mean"] <= high, row["label"]
        cite = row["anchor"]["cite"]
        assert not cite or f"{{{cite}," in bibliography, cite


def test_citations_are_in_the_bibliography(nb):
    bibliography = (ROOT / "references.bib").read_text(encoding="utf8")
    for cell in nb.cells:
        for keys in re.findall(r"\{cite\}`([^`]+)`", cell.source):
            for key in keys.split(","):
                assert f"{{{key.strip()}," in bibliography, key


def test_every_figure_has_a_text_alternative(nb):
    for cell in nb.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                data = output.get("data", {})
                if "image/png" in data and notebooks.WIDGET_VIEW not in data:
                    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
                    assert len(alt) > 30, cell.source[:80]
        for alt in re.findall(r"!\[(.*?)\]\(", cell.source):
            assert len(alt) > 30, cell.source[:80]


def test_cells_are_of_a_readable_size(nb):
    own = [c for c in nb.cells if c.cell_type == "code" and "REPOSITORY" not in c.source]
    lines = [len(c.source.splitlines()) for c in own]
    shown = [n for n, c in zip(lines, own) if not tags(c) & {"hide-input", "hide-cell"}]
    assert max(lines) <= 40 and min(map(statistics.median, (lines, shown))) <= 15
    for one, two in zip(nb.cells, nb.cells[1:]):
        outputs = one.get("outputs") and two.get("outputs")
        assert not outputs, f"no words between two outputs: {two.source[:60]}"


def test_parameters_are_plain_literals(nb):
    for statement in ast.parse(notebooks.parameters_cell(nb).source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    lines = notebooks.parameters_cell(nb).source.splitlines()
    assert all("#" in line for line in lines), "each parameter has a unit or range as its comment"


def test_at_least_six_cells_are_compared_strictly(nb):
    strict = [
        c
        for c in nb.cells
        if c.cell_type == "code" and not tags(c) & IGNORED and any(o.get("text") for o in c.outputs)
    ]
    assert len(strict) >= 6


def test_terms_are_linked_to_the_glossary(nb):
    text = "".join(c.source for c in nb.cells if c.cell_type == "markdown")
    assert len(set(re.findall(r"\]\(glossary\.md#term-([\w-]+)\)", text))) >= 2


def test_plumbing_and_solutions_are_folded(nb):
    for cell in (c for c in nb.cells if c.cell_type == "code"):
        plumbing = "REPOSITORY" in cell.source or any(
            results.MIME in o.get("data", {}) for o in cell.outputs
        )
        assert not plumbing or "hide-input" in tags(cell), cell.source[:60]
        solution = cell.source.startswith("# Solution")
        assert solution == ("hide-cell" in tags(cell)), cell.source[:60]


def test_widget_state_is_there_and_has_a_picture(nb):
    views = [
        o.data
        for c in nb.cells
        if c.cell_type == "code"
        for o in c.outputs
        if notebooks.WIDGET_VIEW in o.get("data", {})
    ]
    assert views and all("image/png" in v and len(v["text/plain"]) > 30 for v in views)
    state = nb.metadata.widgets[notebooks.WIDGET_STATE]["state"]
    assert {v[notebooks.WIDGET_VIEW]["model_id"] for v in views} <= set(state)


@pytest.mark.slow
def test_a_chapter_runs_reduced_and_offline(tmp_path):
    """Through the command line, without any file of MNIST or of speech."""
    (chapter,) = notebooks.chapters([BY_COMMAND])
    environment = {k: v for k, v in os.environ.items() if k != "DL_COURSE_DATA"}
    environment |= {"DL_COURSE_CACHE": str(tmp_path), "DL_COURSE_OFFLINE": "1"}
    before = chapter.read_bytes()
    command = [sys.executable, "-m", "book.notebooks", "execute", "quick", BY_COMMAND]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    executed = ROOT / "_build" / "executed" / chapter.name
    assert records.read(executed)["run"] == "quick, offline subset"
    assert chapter.read_bytes() == before


def again(number: str):
    reason = NOT_YET_AGAIN.get(number)
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(number, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("number", [again(path.name[:2]) for path in CHAPTERS])
def test_any_cell_runs_again_once_those_above_have_run(number, request):
    """Each cell again in reverse order: no name may have come to mean something else."""
    if number != AGAIN and not request.config.getoption("--every-chapter"):
        pytest.skip("every week, with --every-chapter")
    assert changed_when_run_again(number) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted({number for number, *_ in PLANTED}))
def test_planted_bugs_turn_a_strict_cell_red(number, monkeypatch):
    """In one process: the untouched cells must be as published, with any bug one must differ."""
    monkeypatch.chdir(notebooks.CHAPTERS)
    cells = strict_cells(read(number))
    assert first_red(cells, number) is None
    for right, wrong in (bug[1:] for bug in PLANTED if bug[0] == number):
        assert sum(right in c.source for c in cells) == 1, f"{right!r} is not in the chapter"
        assert first_red(cells, number, (right, wrong)) is not None, f"not noticed: {wrong!r}"
