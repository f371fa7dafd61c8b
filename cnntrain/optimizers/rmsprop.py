"""RMSprop: divides each entry's gradient by the root of the running mean of its squares.

::

    r = rho r + (1 - rho) g²
    theta -= alpha g / (sqrt(r) + eps)

Reference: Hinton 2012, "Neural networks for machine learning", lecture 6e.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from cnntrain.optimizers.base import CHUNK, Optimizer, chunks
from cnntrain.types import Array


@final
class RMSprop(Optimizer):
    """Divides the gradient by the root of the mean of its squares.

    Args:
        states: r, ``(1, entries)``.
        W_count: Unused.
        rho: Decay rate of r.
        eps: Term added to the root for numerical stability.
    """

    keys: ClassVar[tuple[str, ...]] = ("rho", "eps")

    def __init__(self, states: Array, W_count: int = 0, *, rho: float = 0.9, eps: float = 1e-8):
        self.states, self.rho, self.eps = states, rho, eps
        self.scratch = np.empty(CHUNK, states.dtype)

    @classmethod
    def state_rows(cls, hyperparameters: Mapping[str, Any]) -> int:
        return 1

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
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
