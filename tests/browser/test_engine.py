"""js/engine.js against PyTorch and js/mnist.js against MNIST, in Chromium."""

from __future__ import annotations

import base64
import json
import statistics

import numpy as np
import pytest
import torch
from torch import nn

from tests.browser.strokes import STROKES
from tests.nets import Conditional, FiLM, Residual
from widgets import pack

# Everything goes and comes as JSON: Playwright takes seconds for long lists.
RUN = """
async (sent) => {
  const [spec, weights, inputs, conditions, inside] = JSON.parse(sent);
  const { makeNet } = await import("./engine.js");
  const net = makeNet({ spec, weights: Uint8Array.from(atob(weights), (c) => c.charCodeAt(0)) });
  return JSON.stringify(inputs.map((x, i) => {
    const told = conditions ? [Float32Array.from(conditions[i])] : [];
    const output = [...net.forward(Float32Array.from(x), ...told)];
    return { output, activations: inside ? net.activations.map((a) => [...a]) : [] };
  }));
}
"""


@pytest.fixture(scope="module")
def page(module_page):
    return module_page("engine.js")


def run(page, net, shape, inputs, dtype="f32", conditions=None, inside=False) -> list[dict]:
    spec, weights = pack(net, shape, dtype).values()
    text = base64.b64encode(weights).decode("ascii")
    told = None if conditions is None else conditions.tolist()
    sent = [spec, text, inputs.reshape(len(inputs), -1).tolist(), told, inside]
    return json.loads(page.evaluate(RUN, json.dumps(sent)))


# Largest difference from PyTorch over 200 digits: of a probability, and of a logit.
TOLERANCE = {"f32": (1e-5, 1e-4), "f16": (1e-3, 2e-2), "i8": (0.06, 0.3)}


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_packed_model_says_what_pytorch_says(page, digit_net, digits, dtype):
    x = (digits[0][4000:4200] / 255).astype("f4")
    with torch.no_grad():
        logits = digit_net(torch.tensor(x))
    got = torch.tensor([r["output"] for r in run(page, digit_net, (784,), x, dtype)])
    probability, logit = TOLERANCE[dtype]
    assert (got - logits).abs().max() <= logit
    assert (got.softmax(1) - logits.softmax(1)).abs().max() <= probability
    assert (got.argmax(1) == logits.argmax(1)).sum() >= 199


def test_every_layers_output_can_be_read(page, digit_net, digits):
    x = torch.tensor(digits[0][4200:4210] / 255, dtype=torch.float32)
    results = run(page, digit_net, (28, 28), x.numpy(), inside=True)
    # BatchNorm is folded into the layer before it; Flatten and Dropout leave nothing behind
    after = [digit_net[:3], digit_net[:4], digit_net[:6], digit_net[:7], digit_net]
    for k, part in enumerate(after):
        with torch.no_grad():
            expected = part(x)
        got = torch.tensor([r["activations"][k] for r in results])
        assert got.shape == expected.shape
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(),
        nn.LeakyReLU(0.2),
        nn.SiLU(),
        nn.GELU(),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.Softmax(1),
        nn.Linear(8, 1),  # one row, and below five: the rows that the unrolled loop leaves over
        nn.Linear(8, 7, bias=False),
        nn.Sequential(nn.Linear(8, 5), nn.BatchNorm1d(5, affine=False), nn.Identity()),
    ],
    ids=str,
)
def test_each_layer(page, layer):
    x = torch.cat(
        [torch.randn(20, 8), torch.zeros(1, 8), torch.full((1, 8), 90.0), -80 * torch.eye(8)]
    )
    net = nn.Sequential(layer).eval()
    with torch.no_grad():
        expected = net(x)
    got = torch.tensor([r["output"] for r in run(page, net, (8,), x.numpy())])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(1, 32, 4, 2, 1), (1, 28, 28)),
        (nn.Conv2d(3, 5, (3, 2), (1, 2), (2, 0), bias=False), (3, 6, 5)),
        (nn.Conv2d(2, 6, 3, 2), (2, 8, 7)),  # the stride leaves a row over
        (nn.Conv2d(4, 3, 1), (4, 5, 5)),
        (nn.ConvTranspose2d(8, 4, 4, 2, 1), (8, 7, 7)),
        (nn.ConvTranspose2d(3, 5, (3, 2), (2, 3), (1, 0), (1, 2), bias=False), (3, 4, 5)),
        (nn.ConvTranspose2d(2, 3, 5, 1, 4), (2, 8, 9)),  # more is cut off than reaches in
        (nn.ConvTranspose2d(2, 1, 1, 3, 0, 2), (2, 3, 3)),  # the stride leaves gaps
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten()), (2, 6, 6)),
        (nn.Sequential(nn.ConvTranspose2d(2, 4, 3), nn.BatchNorm2d(4)), (2, 6, 6)),
        (nn.Unflatten(1, (2, 3, 4)), (24,)),
        (nn.Conv2d(2, 3, 3, dilation=(2, 3), padding=2), (2, 9, 9)),
        (nn.Conv1d(6, 8, 3, padding=1), (6, 20)),  # sound
        (nn.Conv1d(3, 5, 4, 2, 1, bias=False), (3, 17)),
        (nn.Conv1d(4, 4, 3, padding=4, dilation=4), (4, 16)),
        (nn.ConvTranspose1d(5, 3, 4, 2, 1), (5, 9)),
        (nn.ConvTranspose1d(2, 3, 3, 3, 0, 2), (2, 4)),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Flatten()), (2, 8)),
        (Residual(nn.Sequential(nn.Conv1d(4, 4, 3, padding=1), nn.ReLU())), (4, 8)),
        (nn.Sequential(nn.Linear(6, 4), Residual(nn.Sequential(nn.Linear(4, 4)))), (6,)),
        (
            Residual(
                nn.Sequential(
                    nn.Conv1d(4, 6, 4, 2, 1),
                    nn.BatchNorm1d(6),
                    Residual(nn.Sequential(nn.Conv1d(6, 6, 3, padding=2, dilation=2))),
                    nn.ConvTranspose1d(6, 4, 4, 2, 1),
                )
            ),
            (4, 12),
        ),
    ],
    ids=str,
)
def test_each_layer_of_pictures(page, layer, shape):
    torch.manual_seed(0)
    net, x = nn.Sequential(layer), torch.randn(3, *shape)
    net(2 * torch.randn(64, *shape) + 1)  # statistics of a BatchNorm other than 0 and 1
    net.eval()
    with torch.no_grad():
        expected = net(x)
    got = torch.tensor([r["output"] for r in run(page, net, shape, x.numpy())])
    torch.testing.assert_close(got.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_an_lstm(page, bias):
    torch.manual_seed(0)
    lstm, x = nn.LSTM(7, 5, bias=bias, batch_first=True), torch.randn(3, 6, 7)
    with torch.no_grad():
        expected, _ = lstm(x)
    got = torch.tensor([r["output"] for r in run(page, nn.Sequential(lstm), (6, 7), x.numpy())])
    torch.testing.assert_close(got.reshape(3, 6, 5), expected, rtol=1e-5, atol=1e-5)


def conv_encoder() -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.SiLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.SiLU(),
        nn.Conv2d(64, 64, 3, 2, 1),
        nn.Flatten(),
        nn.Linear(64 * 16, 32),
    )


def conv_decoder() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(32, 256),
        nn.SiLU(),
        nn.Linear(256, 32 * 49),
        nn.SiLU(),
        nn.Unflatten(1, (32, 7, 7)),
        nn.ConvTranspose2d(32, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.SiLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1),
        nn.Flatten(),
    )


# Largest difference from PyTorch, as a share of the standard deviation of the net's outputs.
SHARE = {"f32": 1e-5, "f16": 5e-3, "i8": 0.1}


@pytest.mark.parametrize("dtype", SHARE)
@pytest.mark.parametrize("make", [conv_encoder, conv_decoder])
def test_a_convolutional_net(page, digits, make, dtype):
    torch.manual_seed(0)
    net = make()
    if make is conv_encoder:
        x = torch.tensor(digits[0][:300].reshape(-1, 784) / 255, dtype=torch.float32)
    else:
        x = torch.randn(300, 32)
    net(x)
    net.eval()
    x = x[:20]
    with torch.no_grad():
        expected = net(x)
    got = torch.tensor([r["output"] for r in run(page, net, x.shape[1:], x.numpy(), dtype)])
    error = (got - expected).abs().max() / expected.std()
    print(f"{make.__name__}, {dtype}: {error:.2g} of the outputs' standard deviation")
    assert error <= SHARE[dtype]


def conditional_decoder() -> Conditional:
    return Conditional(
        nn.Linear(16, 64),
        FiLM(64, nn.Linear(3, 128)),
        nn.SiLU(),
        nn.Sequential(nn.Linear(64, 8 * 49), nn.Unflatten(1, (8, 7, 7))),
        nn.ConvTranspose2d(8, 6, 4, 2, 1),
        FiLM(6, nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 12))),
        nn.SiLU(),
        nn.ConvTranspose2d(6, 1, 4, 2, 1),
        nn.Flatten(),
    )


@pytest.mark.parametrize("dtype", SHARE)
def test_a_net_that_is_told_a_condition(page, dtype):
    torch.manual_seed(0)
    net, x, condition = conditional_decoder(), torch.randn(20, 16), torch.randn(20, 3)
    with torch.no_grad():
        expected = net(x, condition)
        assert (net(x, condition.flip(0)) - expected).abs().max() > expected.std()  # it matters
    results = run(page, net, (16,), x.numpy(), dtype, condition.numpy())
    got = torch.tensor([r["output"] for r in results])
    error = (got - expected).abs().max() / expected.std()
    print(f"conditional decoder, {dtype}: {error:.2g} of the outputs' standard deviation")
    assert error <= SHARE[dtype]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("net.forward(x)", "takes 3 values as its condition, not 0"),
        ("net.forward(x, [1, 2])", "takes 3 values as its condition, not 2"),
        ("net.forward(x, [1, 2, NaN])", "value 2 of the condition is NaN"),
        ("makeNet({ spec: { ...spec, condition: 0 }, weights }).forward(x)", "takes 3 values"),
    ],
)
def test_a_condition_that_does_not_fit_is_an_error(page, call, message):
    spec, weights = pack(conditional_decoder(), (16,), "f32").values()
    text = page.evaluate(
        f"""async ([spec, weights]) => {{
          const {{ makeNet }} = await import("./engine.js");
          weights = Uint8Array.from(weights);
          const net = makeNet({{ spec, weights }});
          const x = new Float32Array(16);
          try {{
            {call};
          }} catch (error) {{ return error.message; }}
        }}""",
        [spec, list(weights)],
    )
    assert message in (text or "no error")


@pytest.mark.alone
@pytest.mark.parametrize(
    ("make", "shape", "most"), [(conv_decoder, (32,), 2), (conv_encoder, (784,), 3)]
)
def test_a_convolutional_net_is_fast(page, make, shape, most):
    """Milliseconds a forward pass, median of 60; the nets take 1.3 and 2.4 M multiply-adds."""
    spec, weights = pack(make().eval(), shape).values()
    times = page.evaluate(
        """async ([spec, text]) => {
          const { makeNet } = await import("./engine.js");
          const weights = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const net = makeNet({ spec, weights });
          const x = new Float32Array(spec.input).fill(0.5);
          const times = [];
          for (let k = 0; k < 80; k++) {
            const start = performance.now();
            net.forward(x);
            times.push(performance.now() - start);
          }
          return times.slice(20);
        }""",
        [spec, base64.b64encode(weights).decode("ascii")],
    )
    print(f"{make.__name__}: median {statistics.median(times):.2f} ms")
    assert statistics.median(times) <= most


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("x = new Float32Array(7)", "takes 8 values as its input, not 7"),
        ("x[3] = NaN", "value 3 of the input is NaN"),
        ("x[7] = -Infinity", "value 7 of the input is -Infinity"),
        ("x[0] = undefined", "value 0 of the input is NaN"),
        ("spec.layers[1].op = 'conv9'", 'unknown layer "conv9"'),
        ("spec.layers[1].op = 'constructor'", 'unknown layer "constructor"'),
        ("spec.layers[0].w.dtype = 'i4'", 'unknown dtype "i4"'),
        ("spec.input = 9", "takes 8 values, not 9"),
        ("spec.output = 4", "the net gives 3 values, not 4"),
        ("weights = weights.slice(0, -8)", "Invalid typed array length"),
    ],
)
def test_what_does_not_fit_is_an_error(page, change, message):
    spec, weights = pack(nn.Sequential(nn.Linear(8, 3), nn.ReLU()), (8,), "f32").values()
    text = page.evaluate(
        f"""async ([spec, weights]) => {{
          const {{ makeNet }} = await import("./engine.js");
          let x = new Float32Array(8);
          weights = Uint8Array.from(weights);
          try {{
            {change};
            makeNet({{ spec, weights }}).forward(x);
          }} catch (error) {{ return error.message; }}
        }}""",
        [spec, list(weights)],
    )
    assert message in (text or "no error")


def test_bytes_at_an_odd_address(page):
    """A kernel's buffers arrive as a DataView somewhere in a larger message."""
    net = nn.Sequential(nn.Linear(8, 3))
    spec, weights = pack(net, (8,), "f32").values()
    same = page.evaluate(
        """async ([spec, bytes]) => {
          const { makeNet } = await import("./engine.js");
          const shifted = new Uint8Array(bytes.length + 3);
          shifted.set(bytes, 3);
          const view = new DataView(shifted.buffer, 3, bytes.length);
          const x = new Float32Array(8).fill(0.5);
          const run = (weights) => makeNet({ spec, weights }).forward(x);
          const [a, b] = [run(view), run(Uint8Array.from(bytes))];
          return a.every((v, i) => v === b[i]);
        }""",
        [spec, list(weights)],
    )
    assert same


# ---- mnist.js -----------------------------------------------------------------------------------


def to_digits(page, drawings) -> np.ndarray:
    result = page.evaluate(
        """async (drawings) => {
          const { strokesToDigit } = await import("./mnist.js");
          const point = ([x, y]) => ({ x, y });
          return JSON.stringify(drawings.map((strokes) =>
            [...strokesToDigit(strokes.map((s) => s.map(point)))]));
        }""",
        drawings,
    )
    return np.array(json.loads(result)).reshape(-1, 28, 28)


def rasters(page, pictures) -> np.ndarray:
    result = page.evaluate(
        """async (pictures) => {
          const { rasterToDigit } = await import("./mnist.js");
          return JSON.stringify(JSON.parse(pictures).map((p) => [...rasterToDigit(...p)]));
        }""",
        json.dumps([[np.ravel(p).tolist(), p.shape[1], p.shape[0]] for p in pictures]),
    )
    return np.array(json.loads(result)).reshape(-1, 28, 28)


def centre_of_mass(digit):
    grid = np.arange(28)
    return np.array([(digit * grid).sum(), (digit * grid[:, None]).sum()]) / digit.sum()


def extent(digit):
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    return np.array([columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1])


def moved(strokes, scale, x, y):
    return [[(scale * px + x, scale * py + y) for px, py in stroke] for stroke in strokes]


DRAWINGS = [strokes for ways in STROKES.values() for strokes in ways]


def test_drawings_lie_as_mnists_digits_do(page, digits):
    drawn = to_digits(page, DRAWINGS)
    centres = np.array([centre_of_mass(d) for d in drawn])
    mnist = np.array([centre_of_mass(d) for d in digits[0][:500]])
    assert (np.abs(mnist - 14) <= 0.53).all()  # the measure itself, on MNIST
    assert (np.abs(centres - 14) <= 0.5).all()
    assert all(18 <= extent(d).max() <= 20 for d in drawn)
    assert drawn.min() == 0 and drawn.max() == 1


def test_the_pen_is_as_wide_as_mnists(page, digits):
    drawn, mnist = to_digits(page, DRAWINGS), digits[0][:2000] / 255
    for share in (lambda d: d.sum() / (d > 0).sum(), lambda d: (d > 0.95).sum() / (d > 0).sum()):
        assert abs(share(drawn) - share(mnist)) < 0.06


def test_small_and_large_drawings_look_alike(page):
    large = to_digits(page, DRAWINGS)
    for scale, x, y in [(0.25, 0.6, 0.1), (0.5, 0.0, 0.5), (0.9, 0.1, 0.0)]:
        other = to_digits(page, [moved(d, scale, x, y) for d in DRAWINGS])
        assert np.abs(other - large).max() < 0.02


def test_a_one_is_twenty_pixels_high_and_thin(page):
    (one,) = to_digits(page, [[[(0.5, 0.1), (0.5, 0.9)]]])
    width, height = extent(one)
    assert (width <= 4) and (19 <= height <= 20)


@pytest.mark.parametrize("dot", [[[(0.9, 0.1)]], [[(0.5, 0.5), (0.502, 0.5)]]])
def test_a_dot_stays_a_dot(page, dot):
    (digit,) = to_digits(page, [dot])
    assert extent(digit).max() <= 4 and 2 < digit.sum() < 10


def test_nothing_drawn(page):
    assert (to_digits(page, [[]]) == 0).all()
    assert (rasters(page, [np.zeros((5, 9))]) == 0).all()


def test_mnists_own_digits_stay_as_they_are(page, digits):
    images = digits[0][:200]
    difference = np.abs(rasters(page, images) * 255 - images)
    assert difference.mean() < 0.3  # of 255; a few lose a trace of grey at the edge


def test_pictures_of_other_sizes(page, digits):
    images = digits[0][:10]
    expected = rasters(page, images)
    enlarged = [np.pad(np.kron(i, np.ones((5, 5))), ((3, 70), (40, 9))) for i in images]
    got = rasters(page, enlarged)
    assert np.abs(got - expected).mean() < 0.02
    assert all(extent(d).max() == 20 for d in got)


@pytest.mark.parametrize(
    ("values", "message"), [([0.0, 1.0], "4 values, not 2"), ([0, 0, 1, None], "not numbers")]
)
def test_pictures_that_are_none(page, values, message):
    text = page.evaluate(
        """async (values) => {
          const { rasterToDigit } = await import("./mnist.js");
          try { rasterToDigit(values, 2, 2); } catch (error) { return error.message; }
        }""",
        values,
    )
    assert message in (text or "no error")
