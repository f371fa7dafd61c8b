"""Gradient descent, plain or with momentum.

====================  ==========================================================
plain                 theta -= alpha g
momentum (classical)  v = momentum v - alpha g;  theta += v
nesterov              v = momentum v - alpha g;  theta += momentum v - alpha g
====================  ==========================================================

References: Polyak 1964; Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
"""

from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from cnntrain.optimizers.base import Optimizer
from cnntrain.types import Array


@final
class SGD(Optimizer):
    """Steps along the gradient.

    Args:
        states: The velocity v, ``(1, entries)``, or ``(0, entries)`` without momentum.
        W_count: Unused.
        momentum: Decay rate of v; 0 for plain gradient descent.
        nesterov: Whether to use Nesterov momentum.
    """

    default_alpha: ClassVar[float] = 0.05
    keys: ClassVar[tuple[str, ...]] = ("momentum", "nesterov")

    def __init__(self, states: Array, W_count: int = 0, *, momentum: float = 0.0, nesterov: bool = False):
        # NumPy multiplies by an array faster than by one of Python's numbers.
        self.states, self.momentum, self.nesterov = states, np.array(momentum, states.dtype), nesterov

    @classmethod
    def state_rows(cls, hyperparameters: Mapping[str, Any]) -> int:
        return int(hyperparameters["momentum"] > 0)

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
        gradient *= -alpha
        if not self.momentum:
            theta += gradient
            return
        v = self.states[0]
        v *= self.momentum
        v += gradient
        if self.nesterov:
            theta += gradient
            np.multiply(v, self.momentum, out=gradient)
            theta += gradient
        else:
            theta += v
