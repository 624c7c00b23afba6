"""Turn a trained `torch.nn.Sequential` into `{"spec": ..., "weights": ...}` for js/engine.js.

`spec` is plain JSON: the layers in order, and where in `weights` each tensor lies. `weights` is one
little-endian block in which every tensor starts on a multiple of 4 bytes.

To add a kind of layer: write one function here, enter it in `HANDLERS` under the layer's class
name, and enter its forward pass in `OPS` of js/engine.js under the same `op`.
"""

from __future__ import annotations

import math

import numpy as np
import traitlets as t

DTYPES = ("i8", "i5", "i4", "f16", "f32")
STEPS = {"i8": 1, "i5": 8, "i4": 16}  # of an int8; what is coarser is compressed better on the way


class Net(t.Dict):
    """A trait that holds a net as `pack` gives it, or {} for none; the page gets it as one value.

    There it is what `makeNet` of js/engine.js takes: `makeNet(model.get("_net"))`.
    """

    def __init__(self):
        super().__init__(per_key_traits={"spec": t.Dict(), "weights": t.Bytes()})
        self.tag(sync=True)


class _Net:
    """The net as packed so far: its layers, and the shape of what leaves them (no batch)."""

    def __init__(self, shape: tuple[int, ...]):
        self.input = math.prod(shape)
        self.shape = shape
        self.condition = 0  # how many numbers its FiLM layers are told
        self.layers: list[dict] = []

    def add(self, op: str, **fields):
        self.layers.append({"op": op, **fields})

    def spec(self) -> dict:
        condition = {"condition": self.condition} if self.condition else {}
        output = math.prod(self.shape)
        return {"input": self.input, "output": output, **condition, "layers": self.layers}


# ---- one function per kind of layer ------------------------------------------------------------


def _linear(net: _Net, m):
    if len(net.shape) != 1:
        raise ValueError(f"{m} follows an output of shape {net.shape}: put nn.Flatten() before it")
    if net.shape[0] != m.in_features:
        raise ValueError(f"{m} takes {m.in_features} values, but {net.shape[0]} arrive")
    bias = np.zeros(m.out_features) if m.bias is None else as_array(m.bias)
    # "in" and "out" are for the front end; arrays become places in the block of bytes at the end
    net.add(
        "dense", **{"in": m.in_features, "out": m.out_features, "w": as_array(m.weight), "b": bias}
    )
    net.shape = (m.out_features,)


def _conv(net: _Net, m):
    """Convolutions of sound (N, channels, samples) or pictures; zeros beyond the edge.

    Sound is a picture of height 1 to the front end.
    """
    transposed, flat = m.transposed, len(m.kernel_size) == 1

    def two(values, first):
        return [first, *values] if flat else list(values)

    if m.groups != 1 or (transposed and set(m.dilation) != {1}):
        raise ValueError(f"{m}: groups, or dilation in a transposed one, cannot be packed")
    if isinstance(m.padding, str) or m.padding_mode != "zeros":
        raise ValueError(f"{m}: only a padding in numbers, with zeros, can be packed")
    if len(net.shape) != (2 if flat else 3):
        raise ValueError(f"{m} follows an output of shape {net.shape}: put nn.Unflatten before it")
    if net.shape[0] != m.in_channels:
        raise ValueError(f"{m} takes {m.in_channels} channels, but {net.shape[0]} arrive")
    weight = as_array(m.weight)
    weight = weight.swapaxes(0, 1) if transposed else weight  # (out, in, ...)
    weight = weight[:, :, None] if flat else weight
    weight = np.moveaxis(weight, 1, 3) if transposed else weight  # (out, rows, columns, in)
    inputs, kernel, stride = two(net.shape[1:], 1), two(m.kernel_size, 1), two(m.stride, 1)
    padding, dilation = two(m.padding, 0), two(m.dilation, 1)
    size = [
        (n - 1) * step - 2 * pad + width + extra
        if transposed
        else (n + 2 * pad - spread * (width - 1) - 1) // step + 1
        for n, step, pad, width, spread, extra in zip(
            inputs, stride, padding, kernel, dilation, two(m.output_padding, 0)
        )
    ]
    if min(size) < 1:
        raise ValueError(f"{m} leaves nothing of an input of shape {net.shape}")
    bias = np.zeros(m.out_channels) if m.bias is None else as_array(m.bias)
    net.add(
        "conv_transpose" if transposed else "conv",
        **{"in": [net.shape[0], *inputs], "out": [m.out_channels, *size]},
        kernel=kernel,
        stride=stride,
        padding=padding,
        **({} if set(dilation) == {1} else {"dilation": dilation}),
        w=weight,
        b=bias,
    )
    net.shape = (m.out_channels, *(size[1:] if flat else size))


def _residual(net: _Net, m):
    """x + net(x): a module of a class named Residual, with the inner layers in `net`."""
    from torch import nn

    if not isinstance(getattr(m, "net", None), nn.Sequential):
        raise ValueError("Residual needs its inner layers as an nn.Sequential in the attribute net")
    inner = _layers(_leaves(*m.net), net.shape)
    if inner.shape != net.shape or inner.condition:
        raise ValueError(
            f"Residual adds an output of shape {inner.shape} to an input of {net.shape}"
        )
    net.add("residual", net=inner.spec())


def _lstm(net: _Net, m):
    """One layer over (steps, inputs), from a state of zeros; on go its outputs, (steps, hidden)."""
    if m.num_layers != 1 or m.bidirectional or m.proj_size or not m.batch_first:
        raise ValueError(f"{m}: only one layer, forward and with batch_first=True, can be packed")
    if len(net.shape) != 2 or net.shape[1] != m.input_size:
        raise ValueError(f"{m} takes (steps, {m.input_size}), but {net.shape} arrive")
    bias = (
        as_array(m.bias_ih_l0) + as_array(m.bias_hh_l0) if m.bias else np.zeros(4 * m.hidden_size)
    )
    weight = np.concatenate([as_array(m.weight_ih_l0), as_array(m.weight_hh_l0)], axis=1)
    steps, hidden = net.shape[0], m.hidden_size
    net.add("lstm", steps=steps, inputs=m.input_size, hidden=hidden, w=weight, b=bias)
    net.shape = (steps, hidden)


def _batch_norm(net: _Net, m):
    """In eval mode a BatchNorm is a scale and a shift per unit: fold them into the layer before."""
    last = net.layers[-1] if net.layers else {"op": None}
    before, ops = {
        "BatchNorm1d": ("nn.Linear or nn.Conv1d", ("dense", "conv", "conv_transpose")),
        "BatchNorm2d": ("a convolution", ("conv", "conv_transpose")),
    }[type(m).__name__]
    if last["op"] not in ops:
        where = f"follows '{last['op']}'" if last["op"] else "is the first layer"
        raise ValueError(f"{m} {where}: only one directly after {before} can be packed")
    if m.running_mean is None:
        raise ValueError(f"{m} keeps no running statistics, so its output depends on the batch")
    if m.num_features != len(last["b"]):
        raise ValueError(f"{m} takes {m.num_features} values, but {len(last['b'])} arrive")
    gain = 1 / np.sqrt(as_array(m.running_var) + m.eps)
    if m.weight is not None:
        gain = gain * as_array(m.weight)
    shift = 0 if m.bias is None else as_array(m.bias)
    last["w"] = last["w"] * gain.reshape(-1, *[1] * (last["w"].ndim - 1))
    last["b"] = (last["b"] - as_array(m.running_mean)) * gain + shift


def _film(net: _Net, m):
    """Feature-wise linear modulation: a scale and a shift per unit or channel, from a condition."""
    parts = list(_leaves(getattr(m, "to_scale_shift", None)))
    if type(parts[0]).__name__ != "Linear":
        raise ValueError("FiLM needs an attribute to_scale_shift that begins with an nn.Linear")
    inner = _layers(parts, (parts[0].in_features,))
    if inner.shape != (2 * net.shape[0],):
        raise ValueError(
            f"FiLM gets {inner.shape[0]} scales and shifts, but {net.shape[0]} units or channels "
            "arrive: it needs twice as many"
        )
    if net.condition not in (0, inner.input):
        raise ValueError(
            f"one FiLM takes a condition of {net.condition} values, another of {inner.input}"
        )
    net.condition = inner.input
    net.add("film", features=net.shape[0], net=inner.spec())


def _unflatten(net: _Net, m):
    shape = tuple(m.unflattened_size)
    if m.dim != 1 or len(net.shape) != 1 or min(shape) < 1 or math.prod(shape) != net.shape[0]:
        raise ValueError(f"{m} does not fit an output of shape {net.shape}")
    net.shape = shape


def _flatten(net: _Net, m):
    if (m.start_dim, m.end_dim) != (1, -1):
        raise ValueError(f"{m}: only nn.Flatten() of all but the batch can be packed")
    net.shape = (math.prod(net.shape),)  # the values stay where they are: nothing to run


def _nothing(net: _Net, m):
    """Layers that do nothing in eval mode."""


def _leaky_relu(net: _Net, m):
    net.add("leaky_relu", slope=m.negative_slope)


def _gelu(net: _Net, m):
    if m.approximate != "none":
        raise ValueError(f"{m}: only the exact GELU can be packed")
    net.add("gelu")


def _softmax(net: _Net, m):
    if len(net.shape) != 1 or m.dim not in (1, -1):
        raise ValueError(
            f"{m}: only a softmax over all values of one example (dim=1) can be packed"
        )
    net.add("softmax")


def _plain(op: str):
    """An activation without settings."""
    return lambda net, m: net.add(op)


HANDLERS = {
    "Linear": _linear,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "ConvTranspose1d": _conv,
    "ConvTranspose2d": _conv,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "FiLM": _film,
    "LSTM": _lstm,
    "Residual": _residual,
    "Flatten": _flatten,
    "Unflatten": _unflatten,
    "Dropout": _nothing,
    "Identity": _nothing,
    "ReLU": _plain("relu"),
    "LeakyReLU": _leaky_relu,
    "SiLU": _plain("silu"),
    "GELU": _gelu,
    "Tanh": _plain("tanh"),
    "Sigmoid": _plain("sigmoid"),
    "Softmax": _softmax,
}


# ---- the whole net, and its bytes ----------------------------------------------------------------


def as_array(parameter) -> np.ndarray:
    """A tensor as float64."""
    return parameter.detach().double().cpu().numpy()


def _leaves(*modules):
    """The layers in order, with plain Sequentials opened."""
    from torch import nn

    for m in modules:
        if type(m) is nn.Sequential:
            yield from _leaves(*m)
        else:
            yield m


def _layers(modules, shape: tuple[int, ...]) -> _Net:
    from torch import nn

    packed = _Net(shape)
    for m in modules:
        kind = type(m).__name__
        ours = kind in ("FiLM", "Residual")  # classes of the chapters
        if kind not in HANDLERS or (not ours and type(m) is not getattr(nn, kind)):
            raise ValueError(f"{kind} cannot be packed; possible are {', '.join(HANDLERS)}")
        if m.training and isinstance(m, (nn.Dropout, nn.BatchNorm1d, nn.BatchNorm2d)):
            raise ValueError(f"{m} is in training mode: call net.eval() before packing")
        HANDLERS[kind](packed, m)
    return packed


def pack(
    net,
    input_shape: tuple[int, ...],
    dtype: str = "i8",
    *,
    name: str = "net",
    outputs: int | None = None,
    logits: bool = False,
    condition: int | None = None,
) -> dict:
    """Pack a `torch.nn.Sequential` for js/engine.js, as a value of the trait `Net`.

    net
        The layers listed in `HANDLERS`, nested Sequentials included. It is packed as it computes in
        eval mode; if a Dropout or BatchNorm is in training mode, that is an error rather than a
        silent difference between the page and the notebook.
        A net with a condition is a subclass of nn.Sequential with `forward(x, condition)`, which
        hands the condition, (N, condition_dim), to each layer of a class named FiLM. Such a layer
        takes `scale, shift` from it, the two halves of what its `to_scale_shift` gives (nn.Linear,
        or an nn.Sequential that begins with one), and returns `x * (1 + scale) + shift`, one scale
        and one shift per unit or channel (Perez et al. 2018). Packing tries it, and says if not.
    input_shape
        Shape of one example, without the batch.
    dtype
        How the weights travel: 'i8' (symmetric, one scale per output unit or channel), 'i5' and
        'i4' (the same with 31 and 15 levels in place of 255, for large nets: gzip takes a quarter
        to two fifths off), 'f16' or 'f32'. Biases are always f32, and the browser computes in f32.
    name, outputs, logits, condition
        What the net must be, else the ValueError says it of `name`: how many numbers it gives,
        whether they must be logits (no sigmoid or softmax at the end), how many it is told.
    """
    from torch import nn

    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}, but must be one of {', '.join(DTYPES)}")
    plain = isinstance(net, nn.Sequential) and type(net).forward is nn.Sequential.forward
    modules = list(_leaves(*net)) if isinstance(net, nn.Sequential) else []
    conditional = any(type(m).__name__ == "FiLM" for m in modules)
    if not plain and not conditional:
        raise ValueError(f"only an nn.Sequential can be packed, not a {type(net).__name__}")
    shape = tuple(int(n) for n in input_shape)
    if not shape or min(shape) < 1:
        raise ValueError(f"input_shape is {input_shape!r}, but must be positive whole numbers")

    packed = _layers(modules, shape)
    if conditional:
        _try_condition(net, modules, shape, packed.condition)
    spec, block = packed.spec(), bytearray()
    if outputs not in (None, spec["output"]):
        raise ValueError(f"the {name} gives {spec['output']} numbers, but must give {outputs}")
    if logits and spec["layers"][-1]["op"] in ("sigmoid", "softmax"):
        raise ValueError(f"the {name} must end in logits, without a {spec['layers'][-1]['op']}")
    if condition not in (None, packed.condition):
        raise ValueError(
            f"the {name} must have FiLM layers told a condition of {condition}, "
            f"not {packed.condition or 'none'}"
        )
    _store_all(block, spec, dtype)
    return {"spec": spec, "weights": bytes(block)}


def _try_condition(net, modules, shape: tuple[int, ...], condition_dim: int):
    """A conditional net is made of classes that we do not know: see that it does what it should."""
    import torch

    generator = torch.Generator().manual_seed(0)  # leaves the notebook's random numbers alone
    like = next(net.parameters())
    x = torch.randn((2, *shape), generator=generator).to(like)
    condition = torch.randn((2, condition_dim), generator=generator).to(like)
    with torch.no_grad():
        try:
            got = net(x, condition)
        except TypeError as error:
            raise ValueError(
                f"{type(net).__name__} has FiLM layers, so its forward must take (x, condition) "
                f"and hand the condition to them: {error}"
            ) from None
        for m in modules:
            if type(m).__name__ != "FiLM":
                x = m(x)
                continue
            scale, shift = (
                part.reshape(*part.shape, *[1] * (x.ndim - 2))
                for part in m.to_scale_shift(condition).chunk(2, dim=1)
            )
            x = x * (1 + scale) + shift
    if got.shape != x.shape or not torch.allclose(got, x, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ValueError(
            f"{type(net).__name__} does not compute x * (1 + scale) + shift in its FiLM layers, "
            "with scale and shift the first and the second half of what to_scale_shift gives"
        )


def _store_all(block: bytearray, spec: dict, dtype: str):
    """Put the arrays of all layers into the block, and in the spec their places instead."""
    for number, layer in enumerate(spec["layers"]):
        for key, value in layer.items():
            if isinstance(value, np.ndarray):
                layer[key] = _store(block, value, dtype if value.ndim > 1 else "f32", number)
            elif key == "net":
                _store_all(block, value, dtype)


def _store(block: bytearray, array: np.ndarray, dtype: str, number: int) -> dict:
    """Append a tensor in one of the formats; returns its entry in the spec."""
    if not np.isfinite(array).all():
        raise ValueError(f"layer {number} has weights that are NaN or infinite")
    limit = np.finfo("f2" if dtype == "f16" else "f4").max
    if array.size and np.abs(array).max() > limit:
        raise ValueError(f"layer {number} has weights above {limit:g}, too large for {dtype}")
    if dtype not in STEPS:
        values = array.astype("<f2" if dtype == "f16" else "<f4")
        return {"dtype": dtype, "offset": _append(block, values), "n": array.size}
    # w ≈ scale · q with q in -127…127 and one scale per output unit (row)
    rows = array.reshape(len(array), -1).astype("<f4")
    step = STEPS[dtype]  # q is a multiple of it
    most = 127 // step
    scale = (np.abs(rows).max(axis=1) / np.float32(most)).astype("<f4")
    scale[scale == 0] = 1
    q = step * np.clip(np.rint(rows / scale[:, None]), -most, most).astype(np.int8)
    scale /= np.float32(step)
    entry = {"dtype": "i8", "offset": _append(block, q), "n": array.size, "rows": len(rows)}
    return {**entry, "scale_offset": _append(block, scale)}


def _append(block: bytearray, array: np.ndarray) -> int:
    """Append an array; returns the offset at which it starts, a multiple of 4."""
    offset = len(block)
    block += np.ascontiguousarray(array).tobytes()
    block += b"\0" * (-len(block) % 4)  # typed arrays must start on 4 bytes
    return offset
