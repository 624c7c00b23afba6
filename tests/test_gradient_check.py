"""Mutation test: bugs planted in a chapter's backward pass, all caught by its own gradient check.

A chapter enters itself in `CHECKS`: the definitions to take out of its notebook, and how to run
its check, which gives the relative errors.  `BUGS` holds what is planted: one text for another.
All sizes are equal here: a transposed matrix keeps its shape, and only its numbers betray it.
"""

import ast
import math

import nbformat
import numpy as np
import pytest

from book import notebooks

CHECKS = {
    "03": (
        "initialise forward softmax cross_entropy complex_step relative_error relu SLOPE backward "
        "with_biases check_gradients",
        lambda chapter: chapter["check_gradients"](
            chapter["backward"], sizes=(10, 10, 10), batch=10
        ),
    ),
    "04": (
        "Linear Activation Tanh Sigmoid ReLU BatchNorm Dropout Network Residual "
        "softmax_cross_entropy complex_step relative_error worst_error check_gradients",
        lambda chapter: chapter["check_gradients"](sizes=(6, 6, 6, 6), batch=6),
    ),
}
BUGS = [
    ("03", "mean over the batch forgotten", "    delta2 /= len(labels)\n", ""),
    ("03", "divided by the batch twice", "delta2 /= len(labels)", "delta2 /= len(labels) ** 2"),
    ("03", "wrong sign of the one-hot", "labels] -= 1  # p - y", "labels] += 1"),
    ("03", "one-hot forgotten", "labels] -= 1  # p - y", "labels] -= 0"),
    ("03", "weights transposed", 'delta2 @ params["W2"]', 'delta2 @ params["W2"].T'),
    ("03", "activation's slope forgotten", ' * SLOPE[activation](cache["hidden"])', ""),
    ("03", "slope of something else", "hidden: 1 - hidden**2", "hidden: 1 - hidden"),
    ("03", "slope of the sigmoid", "hidden: 1 - hidden**2", "hidden: hidden * (1 - hidden)"),
    ("03", "stored before the activation", '"hidden": hidden,', '"hidden": preactivation,'),
    ("03", "hidden bias forgotten", '"b1": delta1.sum(0)', '"b1": 0 * delta1.sum(0)'),
    ("03", "bias averaged", '"b2": delta2.sum(0)', '"b2": delta2.mean(0)'),
    ("03", "bias summed over classes", '"b2": delta2.sum(0)', '"b2": delta2.sum(1)'),
    ("03", "hidden gradient transposed", 'delta1.T @ cache["x"]', 'cache["x"].T @ delta1'),
    ("03", "output gradient turned", 'delta2.T @ cache["hidden"]', 'cache["hidden"].T @ delta2'),
    ("03", "delta not transposed", 'delta2.T @ cache["hidden"]', 'delta2 @ cache["hidden"]'),
    ("03", "the other layer's delta", 'delta2.T @ cache["hidden"]', 'delta1.T @ cache["hidden"]'),
    ("03", "inputs of other examples", 'delta1.T @ cache["x"]', 'delta1.T @ cache["x"][::-1]'),
    ("04", "transposed", 'delta @ self.params["weight"]', 'delta @ self.params["weight"].T'),
    ("04", "gradient transposed", "delta.T @ self.x", "self.x.T @ delta"),
    ("04", "bias averaged", '"bias": delta.sum(0)', '"bias": delta.mean(0)'),
    ("04", "bias summed over units", '"bias": delta.sum(0)', '"bias": delta.sum(1)'),
    ("04", "activation's slope forgotten", "delta * self.slope()  #", "delta  #"),
    ("04", "slope of tanh not squared", "1 - self.value**2", "1 - self.value"),
    ("04", "slope of the sigmoid halved", "self.value * (1 - self.value)", "self.value / 2"),
    ("04", "ReLU lets all back", "(self.value.real > 0).as", "(self.value.real > -1).as"),
    ("04", "BatchNorm: mean a constant", "d - d.mean(0) - self.normal", "d - self.normal"),
    ("04", "BatchNorm: deviation a constant", " - self.normal * along)", ")"),
    ("04", "BatchNorm: not divided", "along) / self.deviation", "along)"),
    ("04", "BatchNorm: scale forgotten", 'd = delta * self.params["scale"]', "d = delta"),
    ("04", "BatchNorm: shift's gradient", ".sum(0), delta.sum(0)", ".sum(0), delta.mean(0)"),
    ("04", "dropout: mask forgotten", "return delta * self.mask", "return delta"),
    ("04", "dropout: mask drawn anew", "return delta * self.mask", "return self.forward(delta)"),
    ("04", "layers in the wrong order", "reversed(self.layers)", "self.layers"),
    ("04", "residual: direct way forgotten", "delta + super().backward", "super().backward"),
    ("04", "batch mean forgotten", "return loss, delta / len(labels)", "return loss, delta"),
    ("04", "wrong sign of the one-hot", "delta[rows, labels] -= 1", "delta[rows, labels] += 1"),
]  # fmt: skip


def definitions(number: str) -> str:
    """The source of the functions and tables that a chapter's check needs, from its notebook."""
    (path,) = notebooks.chapters([number])
    found = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.parse(cell.source).body:
            targets = getattr(node, "targets", [node])
            name = getattr(targets[0], "name", getattr(targets[0], "id", None))
            found.setdefault(name, ast.get_source_segment(cell.source, node))
    return "\n\n".join(found[name] for name in CHECKS[number][0].split())


def largest_error(number: str, source: str) -> float:
    chapter = {"np": np, "math": math}
    exec(source, chapter)
    return max(CHECKS[number][1](chapter).values())


@pytest.mark.parametrize("number", sorted(CHECKS))
def test_the_chapter_itself_is_right(number):
    assert largest_error(number, definitions(number)) <= 1e-12


@pytest.mark.parametrize("number", sorted(CHECKS))
def test_at_least_ten_bugs_are_planted(number):
    assert len({bug[2:] for bug in BUGS if bug[0] == number}) >= 10


@pytest.mark.parametrize("number, what, right, wrong", BUGS, ids=[f"{b[0]} {b[1]}" for b in BUGS])
def test_a_planted_bug_is_caught(number, what, right, wrong):
    source = definitions(number)
    assert source.count(right) == 1, f"{right!r} is not in chapter {number}, or more than once"
    assert largest_error(number, source.replace(right, wrong)) > 1e-3
