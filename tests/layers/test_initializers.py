"""The initial W of He and Glorot: their distributions, measured on large draws."""

import math

import numpy as np
import pytest

from cnntrain.layers.initializers import initial_weights

SHAPES = {"conv": (64, 20, 5, 5), "fc": (200, 150)}
FANS = {"conv": (500, 1600), "fc": (150, 200)}


def draw(init, activation, kind):
    return initial_weights(init, activation, SHAPES[kind], np.random.default_rng(0))


def is_normal(W, std):
    """Mean, standard deviation, and share outside of two standard deviations as a normal distribution has them."""
    z = W / std
    return abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.02 and abs((np.abs(z) > 2).mean() - 0.0455) < 0.005


def is_uniform(W, limit):
    """Ends, and a tenth of the values in each tenth of the range."""
    shares = np.histogram(W, bins=10, range=(-limit, limit))[0] / W.size
    return np.abs(W).max() <= limit and np.abs(shares - 0.1).max() < 0.01


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "softplus"])
def test_he_goes_with_rectifiers(kind, activation):
    assert is_normal(draw(None, activation, kind), math.sqrt(2 / FANS[kind][0]))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "softmax"])
def test_xavier_goes_with_the_others(kind, activation):
    assert is_uniform(draw(None, activation, kind), math.sqrt(6 / sum(FANS[kind])))


@pytest.mark.parametrize("kind", SHAPES)
def test_init_overrides_the_choice(kind):
    fan_in, fan_out = FANS[kind]
    assert is_normal(draw("he", "tanh", kind), math.sqrt(2 / fan_in))
    assert is_uniform(draw("xavier", "relu", kind), math.sqrt(6 / (fan_in + fan_out)))
    assert is_normal(draw("normal", "relu", kind), 0.01)
    assert is_uniform(draw("uniform", "tanh", kind), 0.05)
    assert not draw("zeros", "softmax", kind).any()


@pytest.mark.parametrize("init", [None, "he", "xavier", "normal", "uniform"])
def test_same_generator_gives_the_same_weights(init):
    first, again = (initial_weights(init, "relu", (3, 2, 5, 5), np.random.default_rng(4)) for _ in range(2))
    assert first.shape == (3, 2, 5, 5)
    np.testing.assert_array_equal(first, again)
