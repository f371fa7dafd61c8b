"""Adam and AdamW: steps of about alpha, whatever the size of the gradients.

::

    m = beta1 m + (1 - beta1) g         running mean of the gradients
    v = beta2 v + (1 - beta2) g²        running mean of their squares
    theta -= alpha weight_decay theta   AdamW only, for each W
    theta -= alpha (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

Both means start at 0; dividing by 1 - beta^t corrects this bias. In Adam an l2 penalty is part of g and is scaled by
sqrt(v), too; AdamW decouples weight decay from the gradient.

References: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from cnntrain.optimizers.base import CHUNK, Optimizer, chunks
from cnntrain.types import Array


@final
class Adam(Optimizer):
    """Divides the mean of the gradients by the root of the mean of their squares.

    Args:
        states: m and v, ``(2, entries)``.
        W_count: Unused.
        beta1: Decay rate of m.
        beta2: Decay rate of v.
        eps: Term added to the root for numerical stability.
    """

    keys: ClassVar[tuple[str, ...]] = ("beta1", "beta2", "eps")

    def __init__(self, states: Array, W_count: int = 0, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.states, self.beta1, self.beta2, self.eps = states, beta1, beta2, eps
        self.scratch = np.empty(CHUNK, states.dtype)

    @classmethod
    def state_rows(cls, hyperparameters: Mapping[str, Any]) -> int:
        return 2

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
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


@final
class AdamW(Optimizer):
    """Adam with decoupled weight decay on each W.

    Args:
        states: m and v, ``(2, entries)``.
        W_count: Number of entries that belong to a W; they come first.
        weight_decay: Share of alpha W that each step subtracts from W.
        beta1, beta2, eps: As for ``Adam``.
    """

    keys: ClassVar[tuple[str, ...]] = (*Adam.keys, "weight_decay")

    def __init__(
        self,
        states: Array,
        W_count: int = 0,
        *,
        weight_decay: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ):
        self.adam = Adam(states, W_count, beta1=beta1, beta2=beta2, eps=eps)
        self.weight_decay, self.W_count = weight_decay, W_count

    @classmethod
    def state_rows(cls, hyperparameters: Mapping[str, Any]) -> int:
        return Adam.state_rows(hyperparameters)

    def step(self, theta: Array, gradient: Array, alpha: float, t: int) -> None:
        if self.weight_decay:
            theta[: self.W_count] *= 1 - alpha * self.weight_decay
        self.adam.step(theta, gradient, alpha, t)
