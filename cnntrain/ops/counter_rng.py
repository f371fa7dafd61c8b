"""Random numbers for a sample in an epoch: the same ones in whichever slice, batch or process it is.

A generator that runs on from sample to sample would give other numbers as soon as the samples are shared differently.
Philox counts instead: its numbers are a function of a key (the seed, and what they are for) and of a counter (the
epoch and the sample), so that any of them can be had again by itself.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class SampleIds:
    """Which samples a slice holds, and in which epoch."""

    epoch: int
    samples: NDArray[np.intp]
    """Their places in the training set ``(n,)``."""


class CounterRng:
    """Random numbers for one use.

    Args:
        seed: Of the run.
        use: Tells this use from all others of the seed.
    """

    def __init__(self, seed: int, use: tuple[int, ...]):
        self.seed, self.use = seed, use
        key = np.random.SeedSequence(seed, spawn_key=use).generate_state(2, np.uint64)
        self._bits = np.random.Philox(key=key)
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state

    def generator(self, epoch: int, sample: int) -> np.random.Generator:
        """Return a generator at the beginning of what belongs to a sample in an epoch.

        It is the same object each time, so use it up before the next is asked for.
        """
        self._state["state"]["counter"][:] = (0, sample, epoch, 0)
        self._bits.state = self._state
        return self._generator
