"""Adam and AdamW: steps of about alpha, whatever the size of the gradients.

::

    m = beta1 m + (1 - beta1) g         mean of the gradients
    v = beta2 v + (1 - beta2) g²        mean of their squares
    theta -= alpha weight_decay theta   AdamW, on W alone
    theta -= alpha (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

Both means begin at 0; dividing by 1 - beta^t makes up for that. In Adam an l2 penalty is part of g, and is divided by
sqrt(v) like it; AdamW takes its share off W itself.

References: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
"""

from typing import final

import numpy as np

from cnntrain.training.optimizers.base import CHUNK, Optimizer, chunks
from cnntrain.types import Array


@final
class Adam(Optimizer):
    """Steps along the mean of the gradients, divided by the root of the mean of their squares.

    Args:
        states: Two rows, m and v.
        beta1: Share of the past in m.
        beta2: Share of the past in v.
        eps: Added to the root.
        weight_decay: Share of alpha W that is taken off W in each step: AdamW.
        W_count: Entries that belong to a W; they come first.
    """

    def __init__(
        self, states: Array, beta1: float, beta2: float, eps: float, weight_decay: float = 0.0, W_count: int = 0
    ):
        self.states, self.beta1, self.beta2, self.eps = states, beta1, beta2, eps
        self.weight_decay, self.W_count = weight_decay, W_count
        self.scratch = np.empty(CHUNK, states.dtype)

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
        """Take step t = 1, 2, ... since the states began at 0."""
        if self.weight_decay:
            theta[: self.W_count] *= 1 - alpha * self.weight_decay
        size, correction = alpha / (1 - self.beta1**t), 1 / (1 - self.beta2**t)
        for part in chunks(len(theta)):
            g, m, v = gradient[part], self.states[0, part], self.states[1, part]
            share = self.scratch[: len(g)]
            m *= self.beta1
            m += np.multiply(g, 1 - self.beta1, out=share)
            g *= g
            g *= 1 - self.beta2
            v *= self.beta2
            v += g
            root = np.multiply(v, correction, out=g)
            np.sqrt(root, out=root)
            root += self.eps
            np.divide(m, root, out=share)
            share *= size
            theta[part] -= share
