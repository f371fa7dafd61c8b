"""Which samples make up which batch."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ORDER = 2
"""The consumer of the seed that this is; 0 draws parameters and 1 the validation split."""


def batches(
    samples: int, batch_size: int | Literal["all"], seed: int, epoch: int, shuffle: bool = True
) -> Iterator[NDArray[Any]]:
    """Yield the places of each batch's samples for one pass over the training set.

    The order follows from (seed, epoch) alone, so any epoch can be repeated by itself. One batch of all samples
    keeps their order, in which the article sums them.
    """
    if batch_size == "all" or not shuffle:
        order = np.arange(samples)
    else:
        order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ORDER, epoch))).permutation(samples)
    size = samples if batch_size == "all" else batch_size
    for start in range(0, samples, size):
        yield order[start : start + size]


def batch_count(samples: int, batch_size: int | Literal["all"]) -> int:
    """Batches in one pass."""
    return 1 if batch_size == "all" else -(-samples // batch_size)
