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
    """Steps a network's parameters along a gradient; ``v`` is the velocity, zero at first."""

    def __init__(self, network: Network, alpha: float, momentum: float = 0.0, nesterov: bool = False):
        self.network = network
        self.alpha, self.momentum, self.nesterov = alpha, momentum, nesterov
        self.v = np.zeros_like(network.theta)

    def step(self, gradient: Array) -> None:
        """Take one step; ``gradient`` is dJ/d theta without the penalties and is overwritten."""
        theta, v = self.network.theta, self.v
        W = slice(0, self.network.layout.W_count)
        self.network.objective.add_penalty_gradient(theta[W], gradient[W])
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
