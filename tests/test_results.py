"""Results: the statistics, the record, the table, and what may be published."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from book import records
from utils import results
from utils.results import Results, result

COMMON = {"expected": (0.0, 1.0), "baseline": ("chance", 0.1)}
finite = st.floats(-1e6, 1e6, allow_nan=False)


def test_interval_is_students_t():
    values = (0.991, 0.993, 0.9925)
    r = result("m", "M", values, **COMMON)
    low, high = stats.t.interval(0.95, 2, loc=r.mean, scale=stats.sem(values))
    assert math.isclose(r.mean - r.half_width, low, rel_tol=1e-3)
    assert math.isclose(r.mean + r.half_width, high, rel_tol=1e-3)


@given(st.lists(finite, min_size=2, max_size=12))
def test_mean_and_interval_hold_for_any_values(values):
    r = result("m", "M", values, **COMMON)
    assert min(values) - 1e-6 <= r.mean <= max(values) + 1e-6
    assert r.half_width >= 0


def test_one_repetition_has_no_interval():
    assert result("m", "M", [0.5], **COMMON).half_width is None


@pytest.mark.parametrize("values", [[], [math.nan], [0.5, math.inf]])
def test_values_must_be_finite_and_there(values):
    with pytest.raises(ValueError, match="finite"):
        result("m", "M", values, **COMMON)


@pytest.mark.parametrize("wrong", [{"better": "bigger"}, {"over": "runs"}])
def test_unknown_choices_are_refused(wrong):
    with pytest.raises(ValueError, match="not a known choice"):
        result("m", "M", [1.0], **COMMON, **wrong)


def table(run="full", data="cache"):
    rows = [
        result("acc", "Accuracy <b>", [0.9, 0.92], anchor=("A", 0.95, "a2000"), **COMMON),
        result("t", "Time", [3.0], unit="s", better="lower", over="repeats", **COMMON),
    ]
    return Results("01", rows, run=run, data=data)


def test_bundle_holds_table_and_record():
    bundle = table()._repr_mimebundle_()
    record = json.loads(json.dumps(bundle[results.MIME]))
    accuracy, seconds = record["results"]
    assert accuracy["seeds"] == 2 and seconds["repeats"] == 1
    assert accuracy["baseline"] == {"name": "chance", "value": 0.1}
    assert accuracy["anchor"] == {"name": "A", "cite": "a2000", "value": 0.95}
    assert "Accuracy &lt;b&gt; ↑" in bundle["text/html"] and "Time ↓" in bundle["text/html"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.99312, "0.9931"), (7.123, "7.12"), (-3.5, "−3.50"), (2e-16, "2.0e−16"), (0, "0")],
)
def test_numbers_read_well(value, text):
    assert results.number(value) == text


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (0.98213, 0.00241, "0.9821 ± 0.0024 nats"),
        (143.9371, 0.7685, "143.94 ± 0.77 nats"),
        (221.4, 12.3, "221 ± 12 nats"),
        (-3.14159, 0.5, "−3.14 ± 0.50 nats"),
        (4.6e-16, 1.4e-17, "4.6e−16 ± 1.4e−17 nats"),
        (0.995, 0.0, "0.9950 nats"),
        (7.0, None, "7.00 nats"),
    ],
)
def test_mean_and_interval_have_the_same_decimals(mean, half_width, text):
    row = {"mean": mean, "half_width": half_width, "unit": "nats"}
    assert results.format_value(row) == text


def notebook(folder, record, name="01_x.ipynb"):
    cells = [
        {"cell_type": "markdown", "source": ["# A title\n", "text"]},
        {"cell_type": "code", "source": "", "outputs": [{"data": {results.MIME: record}}]},
    ]
    (folder / name).write_text(json.dumps({"cells": cells}))


def test_collect_reads_full_records(tmp_path):
    notebook(tmp_path, table().record())
    (record,) = records.collect(tmp_path)
    assert record["title"] == "A title" and record["chapter"] == "01"


@pytest.mark.parametrize("of", [{"run": "quick"}, {"data": "offline subset"}])
def test_reduced_and_offline_runs_are_not_published(tmp_path, of):
    notebook(tmp_path, table(**of).record())
    assert [record["results"] for record in records.collect(tmp_path)] == [[]]
