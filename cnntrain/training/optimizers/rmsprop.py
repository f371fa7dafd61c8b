"""RMSProp: each entry's gradient is divided by the root of the mean of its squares.

::

    r = rho r + (1 - rho) g²
    theta -= alpha g / (sqrt(r) + eps)

Reference: Hinton 2012, "Neural networks for machine learning", lecture 6e.
"""

from typing import final

import numpy as np

from cnntrain.training.optimizers.base import CHUNK, Optimizer, chunks
from cnntrain.types import Array


@final
class RMSProp(Optimizer):
    """Steps along the gradient, divided by the root of the mean of its squares.

    Args:
        states: One row, r.
        rho: Share of the past in r.
        eps: Added to the root.
    """

    def __init__(self, states: Array, rho: float, eps: float):
        self.states, self.rho, self.eps = states, rho, eps
        self.scratch = np.empty(CHUNK, states.dtype)

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:  # noqa: ARG002
        """Take a step; all of a run are alike."""
        for part in chunks(len(theta)):
            g, r = gradient[part], self.states[0, part]
            root = self.scratch[: len(g)]
            r *= self.rho
            np.multiply(g, g, out=root)
            root *= 1 - self.rho
            r += root
            np.sqrt(r, out=root)
            root += self.eps
            g /= root
            g *= alpha
            theta[part] -= g
