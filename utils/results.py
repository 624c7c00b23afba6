"""A chapter's results: shown to the reader as a table, recorded as JSON for the book and the tests.

The last cell of a chapter displays one ``Results``, which puts both into the same output: an HTML
table, and a record under the MIME type ``application/vnd.course.results+json``.  The page of
results and the README's table are made from the committed records: no figure is typed by hand.

Importing it needs the standard library only: the book is built where no NumPy or torch is.
"""

from __future__ import annotations

import html
import math
import statistics
from dataclasses import asdict, dataclass

MIME = "application/vnd.course.results+json"


@dataclass(frozen=True)
class Baseline:
    """The trivial method that has to be beaten, and its figure."""

    name: str
    value: float


@dataclass(frozen=True)
class Anchor:
    """A published figure: what it is, its key in ``references.bib``; value None where none is."""

    name: str
    cite: str
    value: float | None


@dataclass(frozen=True)
class Result:
    """One metric of a chapter, with everything needed to judge it, nested as it is recorded.

    Attributes
    ----------
    metric: the field's name of the metric, in snake case (``test_accuracy``).
    label: the same for the reader (``Test accuracy, distorted MLP``).
    mean: mean over the repetitions.
    half_width: half the width of the 95 % confidence interval of the mean (Student's t);
        None when there is only one repetition.
    values: the repetitions themselves.
    over: what was repeated: ``"seeds"`` (trainings) or ``"repeats"`` (timings).
    expected: (low, high), the range in which a full run on another machine should fall.
    baseline: the trivial method that has to be beaten.
    anchor: a published figure.
    unit: ``""`` for fractions and ratios, else ``"s"``, ``"dB"`` ...
    better: ``"higher"`` or ``"lower"``.
    """

    metric: str
    label: str
    mean: float
    half_width: float | None
    values: tuple[float, ...]
    over: str
    expected: tuple[float, float]
    baseline: Baseline
    anchor: Anchor
    unit: str
    better: str


def result(
    metric: str,
    label: str,
    values,
    *,
    expected: tuple[float, float],
    baseline: tuple[str, float],
    anchor: tuple[str, float | None, str] = ("none published", None, ""),
    unit: str = "",
    better: str = "higher",
    over: str = "seeds",
) -> Result:
    """Summarise repeated measurements of one metric.

    ``values`` holds one number per seed or repeat; ``baseline`` is (name, value) and ``anchor`` is
    (name, value, citation key).  Raises ValueError for no values, values that are not finite, or
    an unknown ``better`` or ``over``.
    """
    from scipy import stats

    values = tuple(float(v) for v in values)
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"{metric}: one finite value per repetition is needed, not {values}")
    if better not in ("higher", "lower") or over not in ("seeds", "repeats"):
        raise ValueError(f"{metric}: better={better!r} or over={over!r} is not a known choice")
    n = len(values)
    half_width = None
    if n > 1:
        half_width = float(stats.t.ppf(0.975, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    name, value, cite = anchor
    return Result(
        metric=metric,
        label=label,
        mean=statistics.fmean(values),
        half_width=half_width,
        values=values,
        over=over,
        expected=tuple(map(float, expected)),
        baseline=Baseline(baseline[0], float(baseline[1])),
        anchor=Anchor(name, cite, None if value is None else float(value)),
        unit=unit,
        better=better,
    )


class Results:
    """The results of one chapter; the last expression of its results cell.

    The record says which run it is of.  Only full runs on the full data are published.
    """

    def __init__(self, chapter: str, results: list[Result], *, run: str, data: str):
        """``run``: "full" or "quick", a parameter of the chapter; ``data``: the data's source."""
        self.chapter, self.results, self.run, self.data = chapter, results, run, data

    def record(self) -> dict:
        """Return the JSON record: what the book and the tests read."""
        rows = [asdict(r) for r in self.results]
        for row in rows:
            row[row.pop("over")] = len(row["values"])
        offline = self.data in ("offline subset", "synthetic")  # not what is published
        run = f"{self.run}, offline subset" if offline else self.run
        return {"chapter": self.chapter, "run": run, "results": rows}

    def _repr_mimebundle_(self, **kwargs):
        record = self.record()
        return {MIME: record, **as_shown(record)}


def as_shown(record: dict) -> dict[str, str]:
    """Return what a reader sees of a record, by MIME type."""
    lines = [f"{r['label']}: {format_value(r)}" for r in record["results"]]
    return {"text/html": html_table(record), "text/plain": "\n".join(lines)}


def number(value: float | None, unit: str = "") -> str:
    """Format a figure for a table: at least three significant digits, and its unit."""
    if value is None:
        return "–"
    size = abs(value)
    if size == 0:
        text = "0"
    elif size < 1e-4 or size >= 1e6:
        text = f"{value:.1e}"
    elif size < 1 and not unit:
        text = f"{value:.4f}"
    elif size < 10:
        text = f"{value:.2f}"
    elif size < 100:
        text = f"{value:.1f}"
    else:
        text = f"{value:,.0f}"
    return f"{text} {unit}".strip().replace("-", "−")


def format_value(row: dict) -> str:
    """Format one recorded result: mean ± half-width, with its unit.

    Two significant digits of the half-width decide how many decimals both are given.
    """
    mean, half_width = row["mean"], row["half_width"]
    if not half_width:
        text = number(mean)
    elif abs(mean) < 1e-4 or abs(mean) >= 1e6:
        text = f"{number(mean)} ± {half_width:.1e}"
    else:
        decimals = min(6, max(0, 1 - math.floor(math.log10(half_width))))
        mean = round(mean, decimals) + 0.0  # never "-0.0"
        text = f"{mean:,.{decimals}f} ± {half_width:,.{decimals}f}"
    return f"{text} {row['unit']}".strip().replace("-", "−")


HEAD = ("Metric", "This run", "Repeated", "Expected", "Trivial baseline", "Published anchor")


def cells(row: dict) -> tuple[str, ...]:
    """Return one recorded result as plain text, a cell for each column of ``HEAD``."""
    low, high = row["expected"]
    over = "seeds" if "seeds" in row else "repeats"
    anchor, baseline, unit = row["anchor"], row["baseline"], row["unit"]
    figure = "" if anchor["value"] is None else f"{number(anchor['value'], unit)} "
    return (
        f"{row['label']} {'↑' if row['better'] == 'higher' else '↓'}",
        format_value(row),
        f"{row[over]} {over}" if row[over] > 1 else f"1 {over[:-1]}",
        f"{number(low)} to {number(high)} {unit}".strip(),
        f"{number(baseline['value'], unit)} ({baseline['name']})",
        f"{figure}({anchor['name']})" if figure else anchor["name"],
    )


def html_table(record: dict) -> str:
    """Return the reader's table of one record."""
    lines = [
        '<div class="course-results-scroll" tabindex="0" role="region" aria-label="Results">',
        '<table class="course-results"><thead><tr>',
        *(f'<th scope="col">{h}</th>' for h in HEAD),
        "</tr></thead><tbody>",
    ]
    for row in record["results"]:
        label, *values = map(html.escape, cells(row))
        lines.append(f'<tr><th scope="row">{label}</th>')
        lines += [f"<td>{value}</td>" for value in values]
        lines.append("</tr>")
    return "".join([*lines, "</tbody></table></div>"])
