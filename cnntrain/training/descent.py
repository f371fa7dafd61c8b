"""Gradient descent: W -= alpha dJ/dW, plain or with momentum.

====================  ==========================================================
plain                 theta -= alpha g
momentum (classical)  v = momentum v - alpha g;  theta += v
nesterov              v = momentum v - alpha g;  theta += momentum v - alpha g
====================  ==========================================================

References: Polyak 1964; Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
"""

import numpy as np

from cnntrain.network import Network
from cnntrain.types import Array


class Descent:
    """Steps a part of a network's parameters along a gradient.

    Args:
        network: Its theta is changed.
        part: Entries of theta that are stepped here.
        alpha: Step size.
        momentum: 0 for plain steps.
        nesterov: Whether to look ahead.
    """

    def __init__(self, network: Network, part: slice, alpha: float, momentum: float = 0.0, nesterov: bool = False):
        self.network, self.part = network, part
        self.alpha, self.momentum, self.nesterov = alpha, momentum, nesterov
        self.v = np.zeros_like(network.theta[part])
        # Entries of a W come first in theta; only they are penalised.
        self.W_count = max(0, min(network.layout.W_count, part.stop) - part.start)

    def step(self, gradient: Array) -> None:
        """Take one step; ``gradient`` is dJ/d theta of the part, without the penalties, and is overwritten."""
        theta, v = self.network.theta[self.part], self.v
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by the next loss
            self.network.objective.add_penalty_gradient(theta[: self.W_count], gradient[: self.W_count])
            gradient *= -self.alpha
            if not self.momentum:
                theta += gradient
                return
            v *= self.momentum
            v += gradient
            if self.nesterov:
                theta += gradient
                np.multiply(v, self.momentum, out=gradient)
                theta += gradient
            else:
                theta += v
