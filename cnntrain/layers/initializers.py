"""Random initial values of W.

======== ==================================================== =============================================
he       normal, standard deviation sqrt(2 / fan_in)          He et al. 2015, arXiv:1502.01852
xavier   uniform in ± sqrt(6 / (fan_in + fan_out))            Glorot & Bengio 2010
normal   normal, standard deviation 0.01
uniform  uniform in ± 0.05
zeros    0, for a single fc on features: between hidden layers, all units would stay equal
======== ==================================================== =============================================

Biases start at 0.
"""

import math
from typing import Literal

import numpy as np

from cnntrain.types import Array

InitName = Literal["he", "xavier", "normal", "uniform", "zeros"]
PARAMETERS = 0
"""Spawn key of the initial parameters; key 1 draws the validation split, key 2 the order of the samples."""

INSIDE = 9
"""Spawn key of the seeds of residual blocks."""
SHORTCUT = 1
"""Spawn key of the seed of a shortcut."""

RECTIFIERS = {"relu", "leaky_relu", "elu", "softplus"}
"""Activations for which He initialization preserves the variance; Xavier does for the others."""


def parameter_rng(seed: int, index: int) -> np.random.Generator:
    """Return the random generator for the parameters of entry ``index`` of ``network.layers``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PARAMETERS, index)))


def seed_inside(seed: int, index: int, *branch: int) -> int:
    """Return the seed of the layers inside entry ``index``, a residual block; the shortcut has one of its own."""
    low, high = np.random.SeedSequence(seed, spawn_key=(INSIDE, index, *branch)).generate_state(2, np.uint64).tolist()
    return int(low) + (int(high) << 64)


def initial_weights(init: InitName | None, activation: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw W in its edge layout.

    Args:
        init: The initializer; None selects He or Xavier by the activation.
        activation: The activation that follows the layer.
        shape: ``(K, C, F, F)`` or ``(units, inputs)``; fan_in is the product of all sides but the first, fan_out of all
            but the second.
        rng: The random generator.
    """
    fan_in = math.prod(shape[1:])
    fan_out = shape[0] * math.prod(shape[2:])
    match init or ("he" if activation in RECTIFIERS else "xavier"):
        case "zeros":
            return np.zeros(shape)
        case "he":
            return rng.normal(0, math.sqrt(2 / fan_in), shape)
        case "xavier":
            limit = math.sqrt(6 / (fan_in + fan_out))
            return rng.uniform(-limit, limit, shape)
        case "normal":
            return rng.normal(0, 0.01, shape)
        case "uniform":
            return rng.uniform(-0.05, 0.05, shape)
