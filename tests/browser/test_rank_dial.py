"""RankDial in Chromium: the truncated net against torch, sliders, keys."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from widgets import RankDial

RANK = 8


@pytest.fixture(scope="module")
def model(digits):
    """A small classifier, trained in seconds, its two hidden layers factorised exactly by SVD."""
    torch.manual_seed(0)
    images = torch.tensor(digits[0].reshape(-1, 784) / 255, dtype=torch.float32)
    labels = torch.tensor(digits[1], dtype=torch.long)
    layers = []
    for n, m in ((784, 40), (40, 30)):
        layers += [nn.Linear(n, RANK, bias=False), nn.Linear(RANK, m), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(30, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for step in range(150):
        part = slice(128 * step % 4000, 128 * step % 4000 + 128)
        loss = nn.functional.cross_entropy(net(images[part]), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


@pytest.fixture(scope="module")
def widget(model, digits):
    return RankDial(
        model,
        [np.arange(2 * RANK, 0, -1)] * 2,
        [(1, 0.3), (4, 0.6), (8, 0.9)],
        digits[0][4000:4006],
        digits[1][4000:4006],
        digits[0][4100:4200],
        digits[1][4100:4200],
        full_parameters=33_000,
        full_accuracy=0.95,
        presets=[{"name": "Unequal", "ranks": [8, 2], "why": "A reason.", "accuracy": 0.8}],
        dtype="f32",
    )


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page."""
    return functools.partial(open_widget, widget)


def set_ranks(page, *ranks):
    page.evaluate(f"model.set('ranks', {list(ranks)})")
    page.wait_for_function(
        "new Promise((d) => requestAnimationFrame(() => setTimeout(() => d(1))))"
    )
    page.wait_for_selector(".rk[data-hits]")


def truncated(model, ranks, pixels):
    h = torch.tensor(pixels.reshape(-1, 784) / 255, dtype=torch.float32)
    with torch.no_grad():
        for k, r in enumerate(ranks):
            down, up = model[3 * k], model[3 * k + 1]
            h = torch.relu(h @ down.weight[:r].T @ up.weight[:, :r].T + up.bias)
        return model[-1](h).softmax(1).numpy()


@pytest.mark.parametrize("ranks", [(8, 8), (1, 1), (2, 6)])
def test_the_page_runs_the_truncated_net(show, widget, model, digits, ranks):
    page = show()
    set_ranks(page, *ranks)
    found = np.array(page.evaluate("[...document.querySelector('.rk').rankDial.probabilities]"))
    np.testing.assert_allclose(found, truncated(model, ranks, digits[0][4000])[0], atol=1e-5)
    judges = truncated(model, ranks, np.rint(digits[0][4100:4200] / 17) * 17).argmax(1)
    hits = int(page.locator(".rk").get_attribute("data-hits"))
    assert abs(hits - (judges == digits[1][4100:4200]).sum()) <= 1  # a tie may fall either way
    inner = sum(r * (n + m) + m for r, n, m in zip(ranks, (784, 40), (40, 30)))
    assert page.evaluate("document.querySelector('.rk').rankDial.parameters") == inner + 310


def test_figures_in_text(show):
    page = show()
    figures = page.locator(".rk-figures dd").all_inner_texts()
    assert figures[0] == "7,532" and figures[1] == "4.38 times"
    assert figures[2] == "90.0 % (full: 95.0 %)"
    set_ranks(page, 6, 6)
    assert page.locator(".rk-figures dd").nth(2).inner_text() == "≈ 75.0 % (full: 95.0 %)"
    set_ranks(page, 6, 2)
    assert "not measured" in page.locator(".rk-figures dd").nth(2).inner_text()
    assert page.locator(".rk-rank").inner_text() == "mixed"


def test_sliders_move_with_keys_and_are_heard(show):
    page = show()
    slider = page.get_by_role("slider", name="Rank of every layer")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function("model.get('ranks').every((r) => r === 1)")
    assert slider.get_attribute("aria-valuetext") == "rank 1"
    assert page.locator(".rk > [aria-live]").inner_text().startswith("Rank 1, ")
    page.locator(".rk-each summary").click()
    page.get_by_role("slider", name="Layer 2").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("model.get('ranks').join() === '1,2'")
    assert "Layer 2: spread" in page.locator(".rk").inner_text()


def test_a_preset_has_its_reason_and_its_measured_accuracy(show):
    page = show()
    press = page.get_by_role("button", name="Unequal")
    assert press.get_attribute("aria-pressed") == "false"
    press.click()
    assert page.evaluate("model.get('ranks')") == [8, 2]
    assert press.get_attribute("aria-pressed") == "true"
    assert page.locator(".cw-why").inner_text() == "A reason."
    assert page.locator(".rk-figures dd").nth(2).inner_text() == "80.0 % (full: 95.0 %)"


def test_another_digit(show, digits):
    page = show()
    page.get_by_role("button", name="Test digit 3, labelled").click()
    sent = np.array(page.evaluate("[...new Uint8Array(model.get('image').buffer)]"))
    assert (sent.reshape(28, 28) == digits[0][4002]).all()
    assert page.locator(".cw-thumbnail[aria-pressed=true]").count() == 1


def test_python_moves_it_and_it_cleans_up(show):
    page = show()
    page.evaluate("window.show('two')")
    page.locator("#two .rk").wait_for()
    page.evaluate("model.set('ranks', [3, 3])")
    page.wait_for_function(
        "[...document.querySelectorAll('.rk-rank')].every((e) => e.textContent === '3')"
    )
    page.evaluate("window.cleanup()")
    assert page.locator(".rk").count() == 1
