"""Every chapter: in order, well formed, runs reduced and offline, and notices planted bugs."""

import ast
import builtins
import os
import re
import statistics
import subprocess
import sys

import nbformat
import pytest

from book import notebooks, records

ROOT = notebooks.ROOT
CHAPTERS = notebooks.chapters()
IGNORED = {"nbval-ignore-output", "nbval-skip"}

# One wrong line in a chapter's central functions, each of which a strictly compared cell must
# turn red: (chapter, right, wrong).
PLANTED = [
    ("01", "(log_sum_exp(logits) - true_score).mean()", "(log_sum_exp(logits) - true_score).sum()"),
    ("01", "e = (z - z.amax(1, keepdim=True)).exp()", "e = z.exp()"),
    ("01", "dZ = (softmax(Z64) - one_hot) / len(y)", "dZ = softmax(Z64) / len(y) - one_hot"),
    ("01", "padding=(0, pad))\n    return smooth", "padding=(0, pad)).abs()\n    return smooth"),
    ("01", "(right - mean_confidence).abs()", "(right - mean_confidence)"),
    ("01", "cross_entropy(logits / t, labels)", "cross_entropy(logits * t, labels)"),
    ("02", "10 ** (torch.as_tensor(snr) / 10)", "10 ** (torch.as_tensor(snr) / 20)"),
    ("02", "wanted = scale * target", "wanted = target"),
    ("02", "magnitude / (level + 1e-9) + 1e-3", "magnitude + 1e-3"),
    ("02", "noise.abs() ** 2 + 1e-12", "noise.abs() + 1e-12"),
    ("02", "return x + self.net(x)", "return self.net(x)"),
    ("02", "padding=gap, dilation=gap", "padding=1, dilation=1"),
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
    ("04", "chi.append(gain**2", "chi.append(gain"),
    ("05", "return u[:, :rank] * s[:rank], vt[:rank]", "return u[:, :rank], vt[:rank]"),
    ("05", "shift=u.T @ (layer.bias - mean)", "shift=u.T @ layer.bias"),
    ("05", "vectors.flip(1), values.flip(0)", "vectors, values.flip(0)"),
    ("05", "rank * (n + m))", "rank * n * m)"),
    ("05", "shift=-u.T @ (coefficients @ x_mean)", "shift=u.T @ (coefficients @ x_mean)"),
    ("06", "logvar.exp() - logvar - 1)", "logvar.exp() + logvar - 1)"),
    ("06", "return mu + (logvar / 2).exp() * noise", "return mu + logvar.exp() * noise"),
    ("06", 'reduction="none").sum(-1)', 'reduction="none").mean(-1)'),
    ("06", "log_likelihood + log_prior - log_q)", "log_likelihood + log_prior)"),
    ("06", "bias.mul_(1 + scale).add_(shift)", "bias.add_(shift)"),
    ("07", "logits.data -= 2 * slope", "logits.data -= 1e-4 * slope"),
    ("07", "grad(F.softplus(-D).sum(), D)", "grad(F.softplus(D).sum(), D)"),
    ("07", "+ (self.embed(weights) * f).sum(1)", "+ 0 * (self.embed(weights) * f).sum(1)"),
    ("07", "0.5 * slope.square().sum((1, 2)).mean()", "0.5 * slope.square().mean((1, 2)).mean()"),
    ("07", '("detached", fake.detach())', '("detached", fake)'),
    ("07", "correction=0) + 1e-8", "correction=0)"),
    ("08", "CENTRE = slice(9, 19)", "CENTRE = slice(8, 18)"),
    ("08", "(realism + weight * error)", "(realism + weight + error)"),
    ("08", "F.pad(inside, (9, 9, 9, 9))", "F.pad(inside, (8, 10, 9, 9))"),
    ("08", "self.told * (asked * f)", "0 * (asked * f)"),
    ("08", "((first - second).abs() * OUTSIDE)", "((first - second).abs())"),
    ("08", "nn.init.zeros_(last.weight)  # at first it changes nothing\n", ""),
    ("08", "centre_error(fake.detach(), patch)).mean()", "centre_error(fake, patch)).mean()"),
    ("09", "transpose(2, 3).reshape(-1, 16, 49)", "reshape(-1, 16, 49)"),
    ("09", "i.sigmoid() * g.tanh()", "i.sigmoid() * g.sigmoid()"),
    ("09", "mean = (left + right) / 2", "mean = left"),
    ("09", "outputs[:, None] > inputs if strict", "outputs[:, None] >= inputs if strict"),
    ("09", "above = shifted(patches, 1), shifted", "above = patches, shifted"),
    ("09", "torch.arange(49), right=True)", "torch.arange(49), right=False)"),
]  # fmt: skip


def tags(cell):
    return set(cell.metadata.get("tags", []))


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
    code = [c for c in nb.cells if c.cell_type == "code"]
    lines = [len(c.source.splitlines()) for c in code]
    assert statistics.median(lines) <= 15 and max(lines) <= 40
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


def test_chapter_runs_reduced_and_offline(chapter, tmp_path, monkeypatch):
    monkeypatch.delenv("DL_COURSE_DATA", raising=False)
    monkeypatch.setenv("DL_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    before = chapter.read_bytes()
    nb = notebooks.execute(chapter, "quick", tmp_path / chapter.name, timeout=300)
    assert records.read(tmp_path / chapter.name)["run"] == "quick, offline subset"
    assert not any(o.output_type == "error" for c in nb.cells for o in c.get("outputs", []))
    assert chapter.read_bytes() == before
    print(f"{chapter.stem}: {60 * nb.metadata['course']['minutes']:.0f} s reduced")


def names(source):
    """The names that a cell defines for others, and those that it needs from them."""
    tree = ast.parse(source)
    stored = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
    }
    stored |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    stored |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    loaded = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - stored - set(dir(builtins))
    defined = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    defined |= {t.id for n in tree.body for t in ast.walk(n) if isinstance(t, ast.Name)} & stored
    imports = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    defined |= {(a.asname or a.name).split(".")[0] for n in imports for a in n.names}
    return defined, loaded - defined


def strict_part(nb):
    """The set-up, the parameters, and each strict text cell that needs nothing but such cells."""
    cells, known = [], set()
    for cell in nb.cells:
        if cell.cell_type != "code" or "hide-cell" in tags(cell):
            continue
        defined, needed = names(cell.source)
        strict = not tags(cell) & IGNORED and not any("data" in o for o in cell.outputs)
        if "REPOSITORY" in cell.source or (strict and needed <= known):
            cells.append(cell)
            known |= defined
    return cells


def run_nbval(folder):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "--rootdir",
        str(folder),
        "-p",
    ]
    command += ["no:cacheprovider", "-c", os.devnull, str(folder / "chapters")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", sorted({number for number, *_ in PLANTED}))
def test_planted_bugs_turn_a_strict_cell_red(number, tmp_path):
    """All copies run in one call: the untouched one must pass and each planted one must fail."""
    (path,) = notebooks.chapters([number])
    for package in ("utils", "widgets"):
        (tmp_path / package).symlink_to(ROOT / package)
    (tmp_path / ".course-root").touch()
    (tmp_path / "chapters").mkdir()
    bugs = {f"bug{i}": bug[1:] for i, bug in enumerate(PLANTED) if bug[0] == number}
    for name, (right, wrong) in {"control": ("", ""), **bugs}.items():
        nb = nbformat.read(path, 4)
        nb.metadata.pop("widgets", None)
        nb.cells = strict_part(nb)
        holders = [c for c in nb.cells if right and right in c.source]
        assert name == "control" or len(holders) == 1, f"{right!r} is not in the chapter"
        for cell in holders:
            cell.source = cell.source.replace(right, wrong)
        nbformat.write(nb, tmp_path / "chapters" / f"{name}.ipynb")
    done = run_nbval(tmp_path)
    failed = set(
        re.findall(
            r"chapters/(\w+)\.ipynb",
            "\n".join(re.findall(r"^FAILED.*", done.stdout, re.MULTILINE)),
        )
    )
    assert failed == set(bugs), done.stdout[-3000:]
