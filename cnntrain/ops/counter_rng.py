"""Counter-based random numbers: a sample in an epoch gets the same numbers in every micro-batch, batch and process.

A sequential generator would give other numbers as soon as the samples are distributed differently. Philox computes its
numbers from a key (the seed and the purpose) and a counter (the epoch and the sample), so any of them can be reproduced
on its own.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class SampleIds:
    """The samples of a micro-batch, and the epoch."""

    epoch: int
    samples: NDArray[np.intp]
    """Their indices in the training set, ``(n,)``."""


class CounterRng:
    """Random numbers for one purpose.

    Args:
        seed: The seed of the run.
        use: A spawn key that identifies the purpose.
    """

    def __init__(self, seed: int, use: tuple[int, ...]):
        self.seed, self.use = seed, use
        key = np.random.SeedSequence(seed, spawn_key=use).generate_state(2, np.uint64)
        self._bits = np.random.Philox(key=key)
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state

    def generator(self, epoch: int, sample: int) -> np.random.Generator:
        """Return the generator for a sample in an epoch.

        Each call returns the same object in a new state: finish with it before the next call.
        """
        self._state["state"]["counter"][:] = (0, sample, epoch, 0)
        self._bits.state = self._state
        return self._generator
