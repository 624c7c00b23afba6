"""js/lib/train.js against PyTorch, in Chromium: gradients, optimisers, batches, and the runner."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

ACTIVATIONS = {"ReLU": nn.ReLU, "Tanh": nn.Tanh, "Sigmoid": nn.Sigmoid}
LOSSES = ("softmaxCrossEntropy", "logisticLoss", "squaredLoss")
SIZES = (7, 6, 5, 4)
COUNT = 9  # examples: two groups of four and one

# A network of js/lib/train.js with given parameters, run forward and backward, or trained.
SETUP = """
const T = await import("./train.js");
const Numbers = globalThis[numbers];
const net = T.denseNet(sizes, T[activation], { Numbers });
const linear = net.layers.filter((layer) => layer.params.weight);
linear.forEach((layer, i) => {
  layer.params.weight.set(params[2 * i]);
  layer.params.bias.set(params[2 * i + 1]);
});
const output = sizes[sizes.length - 1];
"""
GRADIENTS = (
    """async ({ numbers, sizes, activation, params, loss, x, y }) => {"""
    + SETUP
    + """
  const count = x.length / sizes[0];
  const delta = new Numbers(count * output);
  const value = T[loss](net.forward(Numbers.from(x), count), y, count, delta);
  net.layers[0].first = false; // so that the gradient by the input is found as well
  const below = net.backward(delta, count);
  return {
    value,
    grads: linear.flatMap(({ grads }) => [[...grads.weight], [...grads.bias]]),
    input: [...below].slice(0, x.length),
  };
}"""
)
TRAINING = (
    """async ({ numbers, sizes, activation, params, optimizer, rate, batches }) => {"""
    + SETUP
    + """
  const stepper = new T[optimizer](net);
  for (const { x, y } of batches) {
    const delta = new Numbers(y.length * output);
    T.softmaxCrossEntropy(net.forward(Numbers.from(x), y.length), y, y.length, delta);
    net.backward(delta, y.length);
    stepper.step(rate);
  }
  return linear.flatMap(({ params }) => [[...params.weight], [...params.bias]]);
}"""
)


@pytest.fixture(scope="module")
def page(module_page):
    return module_page("train.js")


def torch_net(activation, sizes=SIZES):
    torch.manual_seed(3)
    layers = []
    for n, m in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(n, m, dtype=torch.float64), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def flat(tensors):
    return [t.detach().double().flatten().tolist() for t in tensors]


def torch_loss(name, outputs, y):
    if name == "softmaxCrossEntropy":
        return nn.functional.cross_entropy(outputs, y)
    if name == "logisticLoss":
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, y, reduction="sum")
    else:
        loss = ((outputs - y) ** 2).sum() / 2
    return loss / len(outputs)


@pytest.mark.parametrize("numbers, tolerance", [("Float64Array", 1e-10), ("Float32Array", 1e-5)])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_pytorchs(page, activation, loss, numbers, tolerance):
    net = torch_net(activation)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(COUNT, SIZES[0], dtype=torch.float64, generator=generator, requires_grad=True)
    if loss == "softmaxCrossEntropy":
        y = torch.randint(SIZES[-1], (COUNT,), generator=generator)
    else:
        y = torch.rand(COUNT, SIZES[-1], dtype=torch.float64, generator=generator)
    value = torch_loss(loss, net(x), y)
    value.backward()
    sent = {"numbers": numbers, "sizes": SIZES, "activation": activation, "loss": loss}
    sent |= {"params": flat(net.parameters()), "x": flat([x])[0], "y": y.flatten().tolist()}
    got = page.evaluate(GRADIENTS, sent)
    assert got["value"] == pytest.approx(value.item(), rel=tolerance)
    true = flat([*(p.grad for p in net.parameters()), x.grad])
    for found, expected in zip([*got["grads"], got["input"]], true, strict=True):
        assert np.abs(np.subtract(found, expected)).max() <= tolerance * np.abs(expected).max()


VARIATIONAL = """async ({ numbers, sizes, params, beta, noisy, x }) => {
  const T = await import("./train.js");
  const { uniform } = await import("./random.js");
  const Numbers = globalThis[numbers];
  const [n, d] = sizes;
  const code = new T.GaussianCode(d, { beta, noisy, Numbers, random: uniform(6) });
  const linear = [new T.Linear(n, 2 * d, { Numbers }), new T.Linear(d, n, { Numbers })];
  linear.forEach(({ params: own }, i) => {
    own.weight.set(params[2 * i]);
    own.bias.set(params[2 * i + 1]);
  });
  const net = new T.Network(linear[0], code, linear[1]);
  const count = x.length / n;
  const delta = new Numbers(x.length);
  const distortion = T.logisticLoss(net.forward(Numbers.from(x), count), x, count, delta);
  net.backward(delta, count);
  return {
    distortion,
    rate: code.rate(count),
    noise: [...code.noise].slice(0, count * d),
    grads: linear.flatMap(({ grads }) => [[...grads.weight], [...grads.bias]]),
  };
}"""


@pytest.mark.parametrize("numbers, tolerance", [("Float64Array", 1e-10), ("Float32Array", 1e-5)])
@pytest.mark.parametrize("beta, noisy", [(1.0, True), (0.0, True), (7.0, True), (3.0, False)])
def test_a_variational_autoencoders_gradients_are_pytorchs(page, beta, noisy, numbers, tolerance):
    n, d = sizes = (6, 3)
    torch.manual_seed(8)
    encoder, decoder = nn.Linear(n, 2 * d).double(), nn.Linear(d, n).double()
    parameters = [*encoder.parameters(), *decoder.parameters()]
    x = torch.rand(COUNT, n, dtype=torch.float64)
    sent = {"numbers": numbers, "sizes": sizes, "beta": beta, "noisy": noisy}
    got = page.evaluate(VARIATIONAL, sent | {"params": flat(parameters), "x": flat([x])[0]})
    noise = torch.tensor(got["noise"], dtype=torch.float64).view(COUNT, d)
    assert noise.any() == noisy
    mu, logvar = encoder(x).chunk(2, dim=1)
    distortion = torch_loss("logisticLoss", decoder(mu + (logvar / 2).exp() * noise), x)
    posterior = torch.distributions.Normal(mu, (logvar / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), 1.0)
    rate = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    (distortion + noisy * beta * rate).backward()
    assert got["distortion"] == pytest.approx(distortion.item(), rel=tolerance)
    assert got["rate"] == pytest.approx(rate.item(), rel=tolerance)
    for found, expected in zip(got["grads"], flat(p.grad for p in parameters), strict=True):
        assert np.abs(np.subtract(found, expected)).max() <= tolerance * np.abs(expected).max()


OPTIMISERS = {
    "SGD": lambda parameters, rate: torch.optim.SGD(parameters, rate),
    "Momentum": lambda parameters, rate: torch.optim.SGD(parameters, rate, momentum=0.9),
    "Adam": lambda parameters, rate: torch.optim.Adam(parameters, rate),
}


@pytest.mark.parametrize("numbers, tolerance", [("Float64Array", 1e-10), ("Float32Array", 1e-4)])
@pytest.mark.parametrize("optimizer, rate", [("SGD", 0.5), ("Momentum", 0.1), ("Adam", 0.01)])
def test_fifty_steps_follow_pytorch(page, optimizer, rate, numbers, tolerance):
    net = torch_net("Tanh")
    params = flat(net.parameters())
    generator = torch.Generator().manual_seed(5)
    stepper = OPTIMISERS[optimizer](net.parameters(), rate)
    batches = []
    for _ in range(50):
        x = torch.randn(COUNT, SIZES[0], dtype=torch.float64, generator=generator)
        y = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
        batches.append({"x": flat([x])[0], "y": y.tolist()})
        stepper.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        stepper.step()
    sent = {"numbers": numbers, "sizes": SIZES, "activation": "Tanh", "params": params}
    sent |= {"optimizer": optimizer, "rate": rate, "batches": batches}
    got = page.evaluate(TRAINING, sent)
    moved = max(np.abs(np.subtract(a, b)).max() for a, b in zip(got, params))
    assert moved > 0.1  # it did train
    for found, expected in zip(got, flat(net.parameters()), strict=True):
        assert np.abs(np.subtract(found, expected)).max() <= tolerance


def test_a_wrong_gradient_would_be_noticed(page):
    """The comparison can fail: without the factor 1 / N the gradients differ by that factor."""
    net = torch_net("Tanh")
    x = torch.ones(COUNT, SIZES[0], dtype=torch.float64)
    y = torch.zeros(COUNT, dtype=torch.long)
    torch_loss("softmaxCrossEntropy", net(x), y).mul(COUNT).backward()
    sent = {"numbers": "Float64Array", "sizes": SIZES, "activation": "Tanh"}
    sent |= {"loss": "softmaxCrossEntropy", "params": flat(net.parameters())}
    got = page.evaluate(GRADIENTS, sent | {"x": flat([x])[0], "y": y.tolist()})
    ratio = np.divide(got["grads"][0], flat([net[0].weight.grad])[0])
    assert np.allclose(ratio, 1 / COUNT)


def test_weights_at_first_have_the_stated_size_and_follow_the_seed(page):
    draw = """async (seed) => {
      const { Linear } = await import("./train.js");
      const { uniform } = await import("./random.js");
      return [...new Linear(400, 50, { random: uniform(seed), gain: 2 }).params.weight];
    }"""
    one, again, other = (np.array(page.evaluate(draw, seed)) for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
    assert one.std() == pytest.approx(2 / 20, rel=0.03) and abs(one.mean()) < 0.003


def test_minibatches_visit_each_example_once_a_pass(page):
    drawn = page.evaluate(
        """async () => {
          const { minibatches } = await import("./train.js");
          const { uniform } = await import("./random.js");
          const labels = Uint8Array.from({ length: 10 }, (_, i) => i);
          const examples = Float32Array.from({ length: 20 }, (_, i) => i);
          const batches = minibatches(examples, labels, 2, 3, uniform(7));
          return Array.from({ length: 6 }, () => {
            const { x, y } = batches.next();
            return { x: [...x], y: [...y] };
          });
        }"""
    )
    for batch in drawn:
        assert batch["x"] == [v for label in batch["y"] for v in (2 * label, 2 * label + 1)]
    passes = [sum((b["y"] for b in drawn[k : k + 3]), []) for k in (0, 3)]
    assert all(len(set(p)) == 9 for p in passes) and passes[0] != passes[1]


def test_a_batch_larger_than_the_data_is_the_data(page):
    size = page.evaluate(
        """async () => {
          const { minibatches } = await import("./train.js");
          return minibatches(new Float32Array(8), new Uint8Array(4), 2, 100, Math.random).size;
        }"""
    )
    assert size == 4


@pytest.mark.parametrize("loss", LOSSES)
def test_a_network_that_diverged_has_a_loss_that_is_not_finite(page, loss):
    value = page.evaluate(
        """async (loss) => {
          const T = await import("./train.js");
          const net = T.denseNet([2, 3, 2], T.ReLU);
          net.layers[0].params.weight.fill(NaN);
          const targets = loss === "softmaxCrossEntropy" ? [1] : [1, 0];
          return Number.isFinite(T[loss](net.forward([1, 2], 1), targets, 1, new Float32Array(2)));
        }""",
        loss,
    )
    assert value is False


RUNNER = """async () => {
  const { runner } = await import("./train.js");
  document.body.innerHTML =
    "<div id=figure style='height:90px'>x</div><div style='height:5000px'></div>";
  window.steps = 0;
  window.shown = 0;
  window.limit = Infinity;
  window.run = runner({
    element: document.getElementById("figure"),
    step: () => ++window.steps < window.limit,
    afterSlice: () => (window.shown += 1),
  });
}"""


@pytest.fixture
def running(page):
    """A page in which `run` counts `steps`."""
    page.set_content("<p></p>")
    page.evaluate(RUNNER)
    yield page
    page.evaluate("run.dispose()")


def steps_in(page, milliseconds):
    before = page.evaluate("steps")
    page.wait_for_timeout(milliseconds)
    return page.evaluate("steps") - before


def test_the_runner_starts_pauses_and_does_one_step(running):
    assert steps_in(running, 50) == 0
    running.evaluate("run.start()")
    assert steps_in(running, 100) > 10
    running.evaluate("run.pause()")
    running.wait_for_timeout(50)
    assert steps_in(running, 100) == 0
    running.evaluate("run.once()")
    assert steps_in(running, 50) == 0 and running.evaluate("run.running") is False
    before = running.evaluate("[steps, shown]")
    assert running.evaluate("run.once(), [steps, shown]") == [before[0] + 1, before[1] + 1]


@pytest.mark.alone
def test_in_slow_motion_single_steps_are_seen(running):
    running.evaluate("run.setSlow(true), run.start()")
    assert 1 <= steps_in(running, 1500) <= 5
    running.evaluate("run.setSlow(false)")
    running.wait_for_timeout(450)
    assert steps_in(running, 100) > 10


def test_the_runner_stops_out_of_sight_and_goes_on_in_sight(running):
    running.evaluate("run.start()")
    running.evaluate("scrollTo(0, 3000)")
    running.wait_for_timeout(150)
    assert steps_in(running, 150) == 0
    running.evaluate("scrollTo(0, 0)")
    running.wait_for_timeout(100)
    assert steps_in(running, 150) > 10


def test_the_runner_ends_with_the_work_and_when_it_is_disposed_of(running):
    running.evaluate("limit = 5; run.start()")
    running.wait_for_timeout(100)
    assert running.evaluate("[steps, run.running]") == [5, False]
    running.evaluate("limit = Infinity; run.start(); run.dispose()")
    running.wait_for_timeout(50)
    assert steps_in(running, 100) == 0


@pytest.mark.alone
def test_the_page_lives_while_a_network_trains(page, digits):
    """No task of more than 50 ms, as the browser itself reports them."""
    page.set_content("<div id=figure>x</div>")
    images = (digits[0][:600] // 17).reshape(600, -1).tolist()
    longest = page.evaluate(
        """async ([images, labels]) => {
          const T = await import("./train.js");
          const examples = Float32Array.from(images.flat(), (v) => v / 15);
          const batches = T.minibatches(examples, Uint8Array.from(labels), 784, 32, Math.random);
          const net = T.denseNet([784, 32, 10], T.ReLU, { gain: Math.SQRT2 });
          const stepper = new T.SGD(net);
          T.warmUp(net);
          const delta = new Float32Array(32 * 10);
          const long = [];
          const observer = new PerformanceObserver((list) => long.push(...list.getEntries()));
          let steps = 0;
          const run = T.runner({
            element: document.getElementById("figure"),
            step() {
              const { x, y } = batches.next();
              T.softmaxCrossEntropy(net.forward(x, 32), y, 32, delta);
              net.backward(delta, 32);
              stepper.step(0.1);
              steps += 1;
            },
          });
          await new Promise((resolve) => setTimeout(resolve, 200)); // what came before is over
          observer.observe({ type: "longtask" });
          run.start();
          await new Promise((resolve) => setTimeout(resolve, 1500));
          run.dispose();
          return { steps, longest: Math.max(0, ...long.map((task) => task.duration)) };
        }""",
        [images, digits[1][:600].tolist()],
    )
    assert longest["steps"] > 20
    assert longest["longest"] <= 50
