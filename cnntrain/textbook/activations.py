"""The activations sigma, the losses, and the delta that starts the backward pass.

``y`` is the one-hot label: 1 at the class, 0 elsewhere, of the shape of the output.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), written e^z / (1 + e^z) where z < 0 to avoid overflow.

    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


Function = Callable[[Array], Array]
SIGMA: dict[str, tuple[Function, Function]] = {  # sigma(z) and sigma'(z), elementwise
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),  # 1 - tanh^2 without its cancellation
    "softplus": (lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
}


def softmax(z: Array) -> Array:
    """a_i = e^z_i / sum_j e^z_j (section 5), with the maximum of z subtracted to avoid overflow.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def sigma(z: Array, activation: str) -> Array:
    """a = sigma(z), an activation of SIGMA or softmax (section 5)."""
    return softmax(z) if activation == "softmax" else SIGMA[activation][0](z)


def sigma_prime(z: Array, activation: str) -> Array:
    """sigma'(z), of the shape of z (section 1); at 0, relu and leaky_relu have the slope of their left side."""
    return SIGMA[activation][1](z)


def loss_value(z: Array, y: Array, activation: str, loss: str) -> float:
    """J of one sample: cross_entropy -sum_i y_i log a_i with a = Softmax(z), or mse 1/2 |a - y|^2."""
    if loss == "cross_entropy":
        z = z - z.max()
        return float((y * (np.log(np.exp(z).sum()) - z)).sum())  # finite even where a is 0
    return float(((sigma(z, activation) - y) ** 2).sum() / 2)


def output_delta(z: Array, y: Array, activation: str, loss: str) -> Array:
    """delta^L = dJ/da ⊙ sigma'(z^L) (section 1), of the shape of z.

    - cross_entropy on softmax: a - y
    - mse on softmax, where every a depends on every z: delta_i = sum_j (a_j - y_j) a_j ([i = j] - a_i)
    - mse on any other: (a - y) ⊙ sigma'(z)
    """
    a = sigma(z, activation)
    if loss == "cross_entropy":
        return a - y
    if activation == "softmax":
        return np.array([sum((a[j] - y[j]) * a[j] * ((i == j) - a[i]) for j in range(len(a))) for i in range(len(a))])
    return (a - y) * sigma_prime(z, activation)
