"""Running mean and variance of batch normalization, updated after each batch.

::

    average = momentum average + (1 - momentum) batch statistics
"""

import numpy as np

from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.network.network import Network
from cnntrain.types import Array


class RunningStatistics:
    """Updates a part of a network's running statistics.

    Args:
        network: Network; its theta is updated.
        part: Entries of theta, all of them running statistics; see ``ParameterLayout.split``.
    """

    def __init__(self, network: Network, part: slice):
        self.network, self.part, self.count = network, part, part.stop - part.start
        rates = np.empty(network.layout.size, network.dtype)
        for slot in network.layout.buffers.values():
            assert isinstance(slot.layer, BatchNorm)
            rates[slot.slice] = 1 - slot.layer.momentum
        self.rates = rates[part].copy()

    def step(self, total: Array, samples: int) -> None:
        """Update the running statistics.

        Args:
            total: Sum over micro-batches of statistics times samples, for ``part``; overwritten.
            samples: Number of samples of the batch.
        """
        if not self.count:
            return
        averages = self.network.theta[self.part]
        with np.errstate(over="ignore", invalid="ignore"):  # the next loss shows an overflow
            total *= 1 / samples
            total -= averages
            total *= self.rates
            averages += total
