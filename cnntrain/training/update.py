"""Gradient descent: a step of theta along the gradient of J, its length cut, alpha as the schedule says."""

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.network.network import Network
from cnntrain.optimizers import OPTIMIZERS
from cnntrain.parallel import Communicator
from cnntrain.training.schedules import alpha_of
from cnntrain.types import Array


class Update:
    """Steps a part of a network's parameters.

    Args:
        network: Its theta is changed.
        part: Entries of theta that are stepped here, all of them trained; see ``Layout.split``.
        comm: Keeps the optimizer's states, and knows the other ranks.
        options: Of ``training``.
        steps: Steps of an epoch.
    """

    def __init__(self, network: Network, part: slice, comm: Communicator, options: TrainingOptions, steps: int):
        self.network, self.part, self.comm, self.options, self.steps = network, part, comm, options, steps
        # Entries of a W come first in theta; only they are penalised.
        self.W_count = max(0, min(network.layout.W_count, part.stop) - part.start)
        optimizer = OPTIMIZERS[options.optimizer]
        self.optimizer = optimizer(comm.states[:, part], self.W_count, **options.hyperparameters)

    def step(self, gradient: Array, t: int, factor: float = 1.0, forgotten: int = 0) -> float:
        """Take step t = 1, 2, ... of the run; return its alpha.

        Args:
            gradient: dJ/d theta of the part, without the penalties; overwritten.
            t: Counted from the run's first step on, as the schedule counts.
            factor: What the schedule's alpha is multiplied by.
            forgotten: The steps before the optimizer's states last began at 0, which it does not count.
        """
        theta = self.network.theta[self.part]
        alpha = factor * alpha_of(t, self.steps, self.options)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by the next loss
            self.network.objective.add_penalty_gradient(theta[: self.W_count], gradient[: self.W_count])
            if self.options.clip_norm:
                self.clip(gradient, self.options.clip_norm)
            self.optimizer.step(theta, gradient, alpha, t - forgotten)
        return alpha

    def clip(self, gradient: Array, longest: float) -> None:
        """Scale a gradient that is longer than ``longest`` down to it (Pascanu et al. 2013, arXiv:1211.5063).

        One with infinities or NaN stays as it is, so that these are found.
        """
        norm = self.comm.norm(gradient)
        if longest < norm < np.inf:
            gradient *= longest / norm
