"""Batches: which samples each one holds."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ORDER = 2
"""Random stream of the sample order; 0 is that of the parameters, 1 that of the validation split."""


def batches(
    samples: int, batch_size: int | Literal["all"], seed: int, epoch: int, shuffle: bool = True
) -> Iterator[NDArray[Any]]:
    """Yield the sample indices of each batch of an epoch.

    The order depends on (seed, epoch) only, so any epoch can be repeated. A single batch of all samples keeps their
    order, in which the article sums them.
    """
    if batch_size == "all" or not shuffle:
        order = np.arange(samples)
    else:
        order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ORDER, epoch))).permutation(samples)
    size = samples if batch_size == "all" else batch_size
    for start in range(0, samples, size):
        yield order[start : start + size]


def batch_count(samples: int, batch_size: int | Literal["all"]) -> int:
    """Return the number of batches per epoch."""
    return 1 if batch_size == "all" else -(-samples // batch_size)
