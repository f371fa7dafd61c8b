"""Counter-based random numbers: a sample in an epoch gets the same numbers in every micro-batch, batch and process.

A sequential generator would give other numbers as soon as the samples are distributed differently. Philox computes its
numbers from a key (the seed and the purpose) and a counter (the epoch and the sample), so any of them can be reproduced
on its own.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
        self._counter = [0, 0, 0, 0]
        # Philox takes a state from Python's integers three times as fast as from arrays.
        position = {"counter": self._counter, "key": key.tolist()}
        self._state: Any = {**self._bits.state, "state": position, "buffer": [0, 0, 0, 0]}

    def generator(self, epoch: int, sample: int) -> np.random.Generator:
        """Return the generator for a sample in an epoch.

        Each call returns the same object in a new state: finish with it before the next call.
        """
        self._counter[1:3] = sample, epoch
        self._bits.state = self._state
        return self._generator

    def uniform(self, ids: SampleIds, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers in 0..1 for each sample of a micro-batch, ``(n, count)``."""
        numbers, random = np.empty((len(ids.samples), count)), self._generator.random
        for i in self._positions(ids):
            random(out=numbers[i])
        return numbers

    def words(self, ids: SampleIds, out: NDArray[np.uint64]) -> None:
        """Write 64 random bits into each entry of ``out``, ``(n, count)``, for the samples of a micro-batch."""
        count, random_raw = out.shape[1], self._bits.random_raw
        for i in self._positions(ids):
            out[i] = random_raw(count)

    def _positions(self, ids: SampleIds) -> Iterator[int]:
        """Yield the position of each sample in a micro-batch, when the generator is in its state."""
        counter, bits, state = self._counter, self._bits, self._state
        counter[2] = ids.epoch
        for i, sample in enumerate(ids.samples.tolist()):
            counter[1] = sample
            bits.state = state
            yield i
