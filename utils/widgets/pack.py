"""Turn a trained `torch.nn.Sequential` into `(spec, weights)`, which js/engine.js can run.

`spec` is plain JSON: the layers in order, and where in `weights` each tensor lies. `weights` is one
little-endian block in which every tensor starts on a multiple of 4 bytes.

To add a kind of layer: write one function here, enter it in `HANDLERS` under the layer's class
name, and enter its forward pass in `OPS` of js/engine.js under the same `op`.
"""

from __future__ import annotations

import math

import numpy as np

DTYPES = ("i8", "f16", "f32")


class _Net:
    """The net as packed so far: its layers, and the shape of what leaves them (no batch)."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.layers: list[dict] = []

    def add(self, op: str, **fields):
        self.layers.append({"op": op, **fields})


# ---- one function per kind of layer ------------------------------------------------------------


def _linear(net: _Net, m):
    if len(net.shape) != 1:
        raise ValueError(f"{m} follows an output of shape {net.shape}: put nn.Flatten() before it")
    if net.shape[0] != m.in_features:
        raise ValueError(f"{m} takes {m.in_features} values, but {net.shape[0]} arrive")
    bias = np.zeros(m.out_features) if m.bias is None else _array(m.bias)
    # "in" and "out" are for the front end; arrays become places in the block of bytes at the end
    net.add(
        "dense", **{"in": m.in_features, "out": m.out_features, "w": _array(m.weight), "b": bias}
    )
    net.shape = (m.out_features,)


def _batch_norm(net: _Net, m):
    """In eval mode a BatchNorm is a scale and a shift per unit: fold them into the layer before."""
    last = net.layers[-1] if net.layers else None
    if last is None or last["op"] != "dense":
        where = "is the first layer" if last is None else f"follows '{last['op']}'"
        raise ValueError(f"{m} {where}: only a BatchNorm directly after nn.Linear can be packed")
    if m.running_mean is None:
        raise ValueError(f"{m} keeps no running statistics, so its output depends on the batch")
    if m.num_features != last["out"]:
        raise ValueError(f"{m} takes {m.num_features} values, but {last['out']} arrive")
    gain = 1 / np.sqrt(_array(m.running_var) + m.eps)
    if m.weight is not None:
        gain = gain * _array(m.weight)
    shift = 0 if m.bias is None else _array(m.bias)
    last["w"] = last["w"] * gain[:, None]
    last["b"] = (last["b"] - _array(m.running_mean)) * gain + shift


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
    "BatchNorm1d": _batch_norm,
    "Flatten": _flatten,
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


# ---- bytes ------------------------------------------------------------------------------------


class _Block:
    """One block of bytes that grows tensor by tensor."""

    def __init__(self):
        self.data = bytearray()

    def add(self, array: np.ndarray) -> int:
        """Append an array; returns the offset at which it starts."""
        offset = len(self.data)
        self.data += np.ascontiguousarray(array).tobytes()
        self.data += b"\0" * (-len(self.data) % 4)  # typed arrays must start on 4 bytes
        return offset

    def tensor(self, array: np.ndarray, dtype: str) -> dict:
        """Append a tensor in one of the three formats; returns its entry in the spec."""
        if dtype == "f32":
            return {"dtype": "f32", "offset": self.add(array.astype("<f4")), "n": array.size}
        if dtype == "f16":
            return {"dtype": "f16", "offset": self.add(array.astype("<f2")), "n": array.size}
        # i8: w ≈ scale · q with q in -127…127 and one scale per output unit (row)
        rows = array.reshape(len(array), -1).astype("<f4")
        scale = (np.abs(rows).max(axis=1) / np.float32(127)).astype("<f4")
        scale[scale == 0] = 1
        q = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8)
        return {
            "dtype": "i8",
            "offset": self.add(q),
            "n": array.size,
            "rows": len(rows),
            "scale_offset": self.add(scale),
        }


def _array(parameter) -> np.ndarray:
    return parameter.detach().double().cpu().numpy()


def _leaves(net):
    """The layers of a Sequential in order, with Sequentials inside it opened."""
    from torch import nn

    for m in net:
        if type(m) is nn.Sequential:
            yield from _leaves(m)
        else:
            yield m


def pack(net, input_shape: tuple[int, ...], dtype: str = "i8") -> tuple[dict, bytes]:
    """Pack a `torch.nn.Sequential` for js/engine.js.

    net
        The layers listed in `HANDLERS`, nested Sequentials included. It is packed as it computes in
        eval mode; if a Dropout or BatchNorm is in training mode, that is an error rather than a
        silent difference between the page and the notebook.
    input_shape
        Shape of one example, without the batch.
    dtype
        How the weights travel: 'i8' (symmetric, one scale per output unit), 'f16' or 'f32'. Biases
        are always f32, and the browser computes in f32.
    """
    from torch import nn

    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}, but must be one of {', '.join(DTYPES)}")
    if not isinstance(net, nn.Sequential) or type(net).forward is not nn.Sequential.forward:
        raise ValueError(f"only an nn.Sequential can be packed, not a {type(net).__name__}")
    shape = tuple(int(n) for n in input_shape)
    if not shape or min(shape) < 1:
        raise ValueError(f"input_shape is {input_shape!r}, but must be positive whole numbers")

    packed = _Net(shape)
    for m in _leaves(net):
        kind = type(m).__name__
        if kind not in HANDLERS or type(m) is not getattr(nn, kind, None):
            raise ValueError(f"{kind} cannot be packed; possible are {', '.join(HANDLERS)}")
        if m.training and isinstance(m, (nn.Dropout, nn.BatchNorm1d)):
            raise ValueError(f"{m} is in training mode: call net.eval() before packing")
        HANDLERS[kind](packed, m)

    block = _Block()
    for number, layer in enumerate(packed.layers):
        for key, value in layer.items():
            if isinstance(value, np.ndarray):
                layer[key] = _store(block, value, dtype if value.ndim > 1 else "f32", number)
    spec = {"input": math.prod(shape), "output": math.prod(packed.shape), "layers": packed.layers}
    return spec, bytes(block.data)


def _store(block: _Block, array: np.ndarray, dtype: str, number: int) -> dict:
    if not np.isfinite(array).all():
        raise ValueError(f"layer {number} has weights that are NaN or infinite")
    limit = np.finfo("f2" if dtype == "f16" else "f4").max
    if array.size and np.abs(array).max() > limit:
        raise ValueError(f"layer {number} has weights above {limit:g}, too large for {dtype}")
    return block.tensor(array, dtype)
