"""The parameter update: penalty gradients, gradient clipping, learning rate and optimizer step."""

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.network.network import Network
from cnntrain.optimizers import OPTIMIZERS
from cnntrain.parallel import Communicator
from cnntrain.training.schedules import alpha_of
from cnntrain.types import Array


class Update:
    """Updates a part of a network's parameters.

    Args:
        network: Network; its theta is updated.
        part: Trained entries of theta that this rank updates; see ``ParameterLayout.split``.
        comm: Communicator of this rank, which holds the optimizer state.
        options: ``training`` section of the config.
        steps: Steps per epoch.
    """

    def __init__(self, network: Network, part: slice, comm: Communicator, options: TrainingOptions, steps: int):
        self.network, self.part, self.comm, self.options, self.steps = network, part, comm, options, steps
        # Entries of each W come first in theta; only they are penalized.
        self.W_count = max(0, min(network.layout.W_count, part.stop) - part.start)
        optimizer = OPTIMIZERS[options.optimizer]
        self.optimizer = optimizer(comm.states[:, part], self.W_count, **options.hyperparameters)

    @np.errstate(over="ignore", invalid="ignore")  # the next loss shows an overflow
    def step(self, gradient: Array, t: int, factor: float = 1.0, t0: int = 0) -> float:
        """Take step t = 1, 2, ... of the run; return its learning rate.

        Args:
            gradient: dJ/d theta for ``part``, without penalties; overwritten.
            t: Number of the step since the run began, for the schedule.
            factor: Factor of the scheduled learning rate.
            t0: Number of steps before the optimizer state was last reset.
        """
        theta, objective = self.network.theta[self.part], self.network.objective
        alpha = factor * alpha_of(t, self.steps, self.options)
        if objective.l1 or objective.l2:
            objective.add_penalty_gradient(theta[: self.W_count], gradient[: self.W_count])
        if self.options.clip_norm:
            self.clip(gradient, self.options.clip_norm)
        self.optimizer.step(theta, gradient, alpha, t - t0)
        return alpha

    def clip(self, gradient: Array, max_norm: float) -> None:
        """Clip the gradient to norm ``max_norm`` (Pascanu et al. 2013, arXiv:1211.5063).

        A gradient with infinities or NaN is left unchanged, so that they are detected.
        """
        norm = self.comm.norm(gradient)
        if max_norm < norm < np.inf:
            gradient *= max_norm / norm
