"""BetaDial in Chromium: the slider, live figures against PyTorch."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.nets import Conditional, FiLM
from widgets import BetaDial

LATENT_DIM = 8


def mlp(*sizes) -> Conditional:
    layers = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        told = nn.Sequential(nn.Linear(1, 16), nn.SiLU(), nn.Linear(16, 2 * n_out))
        layers += [nn.Linear(n_in, n_out), FiLM(n_out, told), nn.SiLU()]
    return Conditional(*layers[:-2]).eval()


def rate_and_distortion(encoder, decoder, x, beta, generator):
    """Per image, in nats; `beta` is (N, 1)."""
    condition = beta.log10()
    mu, logvar = encoder(x, condition).chunk(2, dim=1)
    z = mu + (logvar / 2).exp() * torch.randn(mu.shape, generator=generator)
    rate = 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)
    logits = decoder(z, condition)
    return rate, binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


@pytest.fixture(scope="module")
def trained(digits):
    """A small beta-conditioned VAE, trained in seconds, and its measured curve."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    images = torch.tensor(digits[0].reshape(-1, 784) / 255, dtype=torch.float32)
    encoder = mlp(784, 128, 2 * LATENT_DIM)
    decoder = mlp(LATENT_DIM, 128, 784)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, 3e-3)
    for _ in range(12):
        for chosen in torch.randperm(4000).split(100):
            beta = 10 ** (3 * torch.rand(len(chosen), 1, generator=generator) - 1.5)
            rate, distortion = rate_and_distortion(
                encoder, decoder, images[chosen], beta, generator
            )
            loss = ((distortion + beta[:, 0] * rate) / (1 + beta[:, 0])).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    curve = []
    with torch.no_grad():
        for beta in (0.03, 0.1, 0.3, 1, 3, 10, 30):
            told = torch.full((500, 1), float(beta))
            pair = rate_and_distortion(encoder, decoder, images[4000:4500], told, generator)
            curve.append((beta, *(float(v.mean()) for v in pair)))
    torch.set_num_threads(threads)
    return encoder, decoder, np.array(curve)


@pytest.fixture
def widget(trained, digits):
    encoder, decoder, curve = trained
    dedicated = curve[[1, 3, 5]] * [1, 1, 0.97]
    pictures = digits[0][4000:4008], digits[1][4000:4008]
    return BetaDial(encoder, decoder, *pictures, curve, dedicated=dedicated)


@pytest.fixture
def show(open_widget, widget):
    """`page = show(**options)` opens the widget's page, with every picture drawn."""

    def show(**options):
        page = open_widget(widget, **options)
        settled(page)
        return page

    return show


def settled(page):
    """Wait until every picture shows the beta of the slider."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    page.wait_for_function(
        "[...document.querySelectorAll('.bt')].every((e) => e.dataset.outdated === '0')"
    )


def computed(page, name: str) -> np.ndarray:
    """The page's `rates`, `reconstructions` or `samples`."""
    values = page.evaluate(
        f"[...document.querySelector('.bt').betaDial.{name}].map((v) => v.length ? [...v] : v)"
    )
    return np.array(values).reshape((8,) if name == "rates" else (8, 28, 28))


def said(page) -> str:
    return page.locator(".bt [aria-live]").inner_text()


def calls(page) -> list:
    """What was sent to the model since the last time."""
    return page.evaluate("window.calls.splice(0).map((call) => call.join(' '))")


def set_from_python(page, beta: float):
    page.evaluate("beta => { model.set('beta', beta); calls.splice(0); }", beta)
    settled(page)


def slide(page, position: int, release=True):
    """Move the slider as a pointer does: input events, and a change event on release."""
    page.locator(".bt-slider").evaluate(
        """(e, [position, release]) => {
          e.value = position;
          e.dispatchEvent(new Event("input", { bubbles: true }));
          if (release) e.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        [position, release],
    )
    settled(page)


# ---- what it computes ---------------------------------------------------------------------------


# Largest difference from PyTorch: of a rate in nats, relative to 1 + rate, and of a pixel in 0-1.
TOLERANCE = {"f32": (1e-4, 1e-4), "f16": (5e-3, 5e-3), "i8": (0.02, 0.06)}


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_page_computes_what_pytorch_does(open_widget, trained, digits, dtype):
    encoder, decoder, curve = trained
    pictures = digits[0][4000:4008], digits[1][4000:4008]
    widget = BetaDial(encoder, decoder, *pictures, curve, dtype=dtype)
    page = open_widget(widget)
    of_rate, of_pixel = [], []
    for beta in (1.0, 0.03, 0.5, 30.0):
        widget.beta = beta
        set_from_python(page, beta)
        of_rate.append(abs(computed(page, "rates") - widget.rates) / (1 + widget.rates))
        for name in ("reconstructions", "samples"):
            of_pixel.append(abs(computed(page, name) - getattr(widget, name)))
    print(f"{dtype}: rate {np.max(of_rate):.2g}, pixel {np.max(of_pixel):.2g}")
    assert np.max(of_rate) <= TOLERANCE[dtype][0] and np.max(of_pixel) <= TOLERANCE[dtype][1]


def test_the_trained_nets_heed_beta(widget):
    """Else the comparison above would say little: a high beta codes less, and digits look alike."""
    spread = {}
    for beta in (0.03, 30):
        widget.beta = beta
        spread[beta] = widget.reconstructions.std(axis=0).mean(), widget.rates.mean()
    assert spread[30][0] < 0.75 * spread[0.03][0] and spread[30][1] < 0.2 * spread[0.03][1]


def test_figures_are_measured_or_interpolated_and_say_so(show, widget):
    page = show()
    for beta, how in [(2.0, "interpolated"), (0.03, "measured"), (1.0, "measured")]:
        set_from_python(page, beta)
        rate, distortion = widget.rate_distortion(beta)
        figures = page.locator(".bt-figures dd").all_inner_texts()
        assert figures == [f"{v:.1f} nats" for v in (rate, distortion, rate + distortion)]
        assert how in page.locator(".bt-source").inner_text()
        expected = (
            f"Beta {beta:#.2g}: rate {rate:.1f} nats, distortion {distortion:.1f} nats, {how}"
        )
        assert said(page) == f"{expected} on the test set."
    first = widget.curve[0]
    np.testing.assert_allclose(widget.rate_distortion(0.03), first[1:])
    middle = widget.rate_distortion((0.03 * 0.1) ** 0.5)
    np.testing.assert_allclose(middle, widget.curve[:2, 1:].mean(axis=0))


def test_captions_are_the_rates(show):
    page = show()
    captions = page.locator(".bt-row figcaption").all_inner_texts()
    assert captions == [f"{rate:.1f}" for rate in computed(page, "rates")]


def test_the_dot_lies_on_the_curve_and_the_tangent_has_slope_beta(show, widget):
    page = show()
    corners = page.locator(".bt-curve").get_attribute("points").split()
    corners = np.array([[float(v) for v in corner.split(",")] for corner in corners])
    assert len(corners) == len(widget.curve)
    for k in (0, 3, 6):
        set_from_python(page, widget.curve[k][0])
        dot = page.locator(".bt-plane .bt-dot")
        place = [float(dot.get_attribute(name)) for name in ("cx", "cy")]
        np.testing.assert_allclose(place, corners[k], atol=0.06)
    set_from_python(page, 0.5)
    line = page.locator(".bt-plane .bt-slope")
    x1, y1, x2, y2 = (float(line.get_attribute(name)) for name in ("x1", "y1", "x2", "y2"))
    unit = (corners[-1] - corners[0]) / (widget.curve[-1] - widget.curve[0])[1:]  # pixels a nat
    slope = (y2 - y1) / unit[1] / ((x2 - x1) / unit[0])
    assert slope == pytest.approx(-0.5, rel=0.01)


# ---- slider and button --------------------------------------------------------------------------


def test_it_starts_where_python_is_and_says_nothing(show):
    page = show()
    assert page.locator(".bt-beta").inner_text() == "1.0"
    assert page.locator(".bt-slider").input_value() == "0"
    assert calls(page) == [] and said(page) == ""


def test_sliding_changes_the_pictures_and_the_release_tells_python(show):
    page = show()
    codes = page.evaluate("[...new Uint8Array(model.get('_z').buffer)]")
    before = computed(page, "reconstructions"), computed(page, "samples")
    slide(page, 50, release=False)
    assert page.locator(".bt-beta").inner_text() == "10"
    after = computed(page, "reconstructions"), computed(page, "samples")
    assert all(np.abs(a - b).max() > 0.1 for a, b in zip(before, after))
    assert calls(page) == [] and said(page) == ""
    slide(page, 50)
    assert calls(page) == ["set beta", "save_changes"] and said(page).startswith("Beta 10: rate")
    assert page.evaluate("model.get('beta')") == pytest.approx(10)
    assert page.evaluate("[...new Uint8Array(model.get('_z').buffer)]") == codes
    slide(page, 1000)  # the ends are the measured ones
    assert page.evaluate("model.get('beta')") == 30
    slide(page, -1000)
    assert page.evaluate("model.get('beta')") == 0.03


def test_the_keyboard(show):
    page = show()
    slider = page.get_by_role("slider", name="β, the weight of the rate")
    page.keyboard.press("Tab")
    assert slider.evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.evaluate("model.get('beta')") == pytest.approx(10 ** (1 / 50))
    assert said(page).startswith("Beta 1.0: rate") and calls(page) == ["set beta", "save_changes"]
    page.keyboard.press("End")
    settled(page)
    assert page.evaluate("model.get('beta')") == 30
    assert slider.get_attribute("aria-valuetext") == "beta 30"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "New samples"


def test_new_samples(show, widget):
    page = show()
    rates, before = computed(page, "rates"), computed(page, "samples")
    page.get_by_role("button", name="New samples").click()
    settled(page)
    assert np.abs(computed(page, "samples") - before).max() > 0.1
    assert (computed(page, "rates") == rates).all()
    assert calls(page) == ["set _z", "save_changes"]
    assert said(page) == "New samples from the prior."
    sent = bytes(page.evaluate("[...new Uint8Array(model.get('_z').buffer)]"))
    widget.set_state({"_z": sent})
    np.testing.assert_allclose(widget.samples, computed(page, "samples"), atol=0.08)
    assert abs(widget.z.mean()) < 0.5 and 0.7 < widget.z.std() < 1.3


# ---- in step with Python ------------------------------------------------------------------------


def test_a_beta_set_in_python_is_shown(show):
    page = show()
    set_from_python(page, 2.5)
    assert page.locator(".bt-beta").inner_text() == "2.5" and said(page).startswith("Beta 2.5:")
    assert page.evaluate("document.querySelector('.bt').betaDial.beta") == 2.5
    assert calls(page) == []  # no echo


def test_two_views_of_one_model(show):
    page = show()
    page.evaluate("show('two')")
    page.locator(".bt-slider").first.focus()
    page.keyboard.press("PageUp")
    settled(page)
    first, second = page.locator(".bt").all()
    assert first.locator(".bt-beta").inner_text() != "1.0"
    assert first.locator(".bt-beta").inner_text() == second.locator(".bt-beta").inner_text()
    second.get_by_role("button").click()
    settled(page)
    samples = "root => [...root.betaDial.samples[0]]"
    assert first.evaluate(samples) == second.evaluate(samples)
    assert page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"
    ) == (page.evaluate("document.querySelectorAll('[id]').length"))


# ---- for every reader ---------------------------------------------------------------------------


def test_slider_plane_and_pictures_are_seen_together(show):
    page = show(viewport={"width": 1280, "height": 800})
    assert page.locator(".bt").bounding_box()["height"] <= 760


# ---- speed --------------------------------------------------------------------------------------


@pytest.mark.alone
def test_a_redraw_fits_into_a_frame(open_widget, digits):
    """Median of at most 16 ms, for 8 reconstructions and 8 samples of an 860,000-parameter VAE."""
    curve = [(0.03, 30, 100), (1, 15, 110), (30, 2, 200)]
    widget = BetaDial(
        mlp(784, 400, 256, 64),
        mlp(32, 256, 400, 784),
        digits[0][:8],
        digits[1][:8],
        curve,
    )
    page = open_widget(widget)
    settled(page)
    times, frames = page.evaluate(
        """async () => {
          const root = document.querySelector(".bt");
          const slider = root.querySelector("input");
          const frame = () =>
            new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          const times = [];
          const frames = [];
          for (let k = 0; k < 60; k++) {
            slider.value = -70 + 2 * k;
            slider.dispatchEvent(new Event("input"));
            let count = 0;
            do {
              await frame();
              times.push(Number(root.dataset.ms));
              count += 1;
            } while (root.dataset.outdated !== "0");
            frames.push(count);
          }
          return [times.slice(10), frames];
        }"""
    )
    print(f"median {statistics.median(times):.1f} ms, {statistics.median(frames):g} frames a beta")
    assert statistics.median(times) <= 16
    assert statistics.median(frames) <= 4
