"""Training beyond the article's W = W - alpha sum dW: for one parameter theta with gradient g = dJ/dtheta.

The state of an optimizer starts at 0, and t counts its steps from 1. docs/notation.md cites the papers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def smoothed_label(y: Array, share: float) -> Array:
    """t = (1 - share) y + share / classes, which replaces y in the loss and in delta.

    >>> smoothed_label(np.array([1.0, 0.0]), 0.1).tolist()
    [0.9500000000000001, 0.05]
    """
    return (1 - share) * y + share / y.size


def balanced_weight(labels: Sequence[int], c: int, classes: int) -> float:
    """w_c = N / (classes n_c): the factor of the loss of the n_c samples of class c.

    ``classes`` counts only the classes with samples.
    """
    return len(labels) / (classes * sum(label == c for label in labels))


def clipped(g: Sequence[float], max_norm: float) -> list[float]:
    """The gradient of all parameters, clipped by its norm: g max_norm / |g| if |g| > max_norm.

    >>> clipped([3.0, 4.0], 1.0)
    [0.6, 0.8]
    """
    norm = sum(entry**2 for entry in g) ** 0.5
    return [entry * max_norm / norm if norm > max_norm else entry for entry in g]


def momentum_step(theta: float, g: float, v: float, alpha: float, momentum: float) -> tuple[float, float]:
    """The new theta and v: v = momentum v - alpha g, theta = theta + v."""
    v = momentum * v - alpha * g
    return theta + v, v


def nesterov_step(theta: float, g: float, v: float, alpha: float, momentum: float) -> tuple[float, float]:
    """The new theta and v: v = momentum v - alpha g, theta = theta + momentum v - alpha g."""
    v = momentum * v - alpha * g
    return theta + momentum * v - alpha * g, v


def rmsprop_step(theta: float, g: float, r: float, alpha: float, rho: float, eps: float) -> tuple[float, float]:
    """The new theta and r: r = rho r + (1 - rho) g^2, theta = theta - alpha g / (sqrt(r) + eps)."""
    r = rho * r + (1 - rho) * g**2
    return theta - alpha * g / (r**0.5 + eps), r


def adam_step(
    theta: float, g: float, m: float, v: float, t: int, alpha: float, beta1: float, beta2: float, eps: float
) -> tuple[float, float, float]:
    """The new theta, m and v: theta = theta - alpha m_hat / (sqrt(v_hat) + eps).

    m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) g^2 are means that start at 0;
    m_hat = m / (1 - beta1^t) and v_hat = v / (1 - beta2^t) correct that bias.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - alpha * m_hat / (v_hat**0.5 + eps), m, v


def decayed(W: float, alpha: float, weight_decay: float) -> float:
    """AdamW's decay of W, before an Adam step without L2 penalty: W = W - alpha weight_decay W."""
    return W - alpha * weight_decay * W
