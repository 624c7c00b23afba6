"""Kinds of layers that chapters define for themselves, for the tests of what runs their nets."""

from torch import nn


class Residual(nn.Module):
    """x + net(x)."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return x + self.net(x)


class FiLM(nn.Module):
    """Scale and shift each of the first axis' `features` by what a net makes of a condition."""

    def __init__(self, features, to_scale_shift):
        super().__init__()
        self.features, self.to_scale_shift = features, to_scale_shift

    def forward(self, x, condition):
        scale, shift = self.to_scale_shift(condition).chunk(2, dim=1)
        shape = (len(x), self.features, *[1] * (x.ndim - 2))
        return x * (1 + scale.view(shape)) + shift.view(shape)


class Conditional(nn.Sequential):
    """A sequence in which every FiLM hears of the condition."""

    def forward(self, x, condition):
        for layer in self:
            x = layer(x, condition) if isinstance(layer, FiLM) else layer(x)
        return x
