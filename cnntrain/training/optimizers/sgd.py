"""Gradient descent, plain or with momentum.

====================  ==========================================================
plain                 theta -= alpha g
momentum (classical)  v = momentum v - alpha g;  theta += v
nesterov              v = momentum v - alpha g;  theta += momentum v - alpha g
====================  ==========================================================

References: Polyak 1964; Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
"""

from typing import final

import numpy as np

from cnntrain.training.optimizers.base import Optimizer
from cnntrain.types import Array


@final
class Sgd(Optimizer):
    """Steps along the gradient.

    Args:
        states: One row, the velocity v; none where there is no momentum.
        momentum: 0 for plain steps.
        nesterov: Whether to look ahead.
    """

    def __init__(self, states: Array, momentum: float = 0.0, nesterov: bool = False):
        self.states, self.momentum, self.nesterov = states, momentum, nesterov

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:  # noqa: ARG002
        """Take a step; all of a run are alike."""
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
