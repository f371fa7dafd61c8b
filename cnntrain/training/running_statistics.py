"""The running averages of batch normalization: moved towards what each batch shows, where parameters are stepped.

average = momentum average + (1 - momentum) statistics of the batch
"""

import numpy as np

from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.network.network import Network
from cnntrain.types import Array


class RunningStatistics:
    """Moves a part of a network's running averages.

    Args:
        network: Its theta is changed.
        part: Entries of theta, all of them running averages; see ``Layout.split``.
    """

    def __init__(self, network: Network, part: slice):
        self.network, self.part, self.count = network, part, part.stop - part.start
        moved = np.empty(network.layout.size, network.dtype)
        for place in network.layout.buffers.values():
            assert isinstance(place.layer, BatchNorm)
            moved[place.slice] = 1 - place.layer.momentum
        self.moved = moved[part].copy()

    def step(self, total: Array, samples: int) -> None:
        """Take one step.

        Args:
            total: Of the part, the sum over slices of statistics times samples; overwritten.
            samples: Of the batch.
        """
        if not self.count:
            return
        averages = self.network.theta[self.part]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by the next loss
            total *= 1 / samples
            total -= averages
            total *= self.moved
            averages += total
