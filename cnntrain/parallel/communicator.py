"""Communication among the ranks of one program.

Every rank runs the same program on the same data. A batch consists of micro-batches, and neighboring micro-batches form
at most ``GROUPS`` groups, as the config alone decides; each rank computes some groups, and then its part of their sum:

::

    for i in comm.micro_batches(count):                   my micro-batches
        ... write the gradient into comm.gradient_views(i, count) ...
        comm.add_gradient(i, count, loss, correct)
    gradient, loss, correct = comm.reduce_scatter(count)  the sum over groups, in order, for my part of theta
    ... comm.norm(gradient) ...                           optionally, the norm of the whole gradient
    theta[comm.part] -= ...
    comm.allgather()                                      all parts of theta are updated

Micro-batches, groups and the order of every sum are fixed, so the bits do not depend on the number of ranks.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np

from cnntrain.types import Array

Views = list[dict[str, Array]]
"""Named views of the parts of a vector."""


class VectorParts(Protocol):
    """Size of a vector and its division into parts."""

    size: int
    """Number of entries."""

    def views(self, vector: Array) -> Views:
        """Return views of the parts of ``vector``."""


GROUPS = 12
"""Maximum number of gradients per batch to sum: 1, 2, 3, 4, 6 or 12 ranks share them evenly."""

BLOCK = 2**12
"""Entries of theta per partial sum of squares; parts of theta begin at multiples of it."""


def blocks(size: int) -> int:
    """Return the number of blocks in ``size`` entries."""
    return -(-size // BLOCK)


def group_starts(count: int) -> list[int]:
    """Return the first micro-batch of each group, and the end of the last."""
    groups = min(count, GROUPS)
    return [group * count // groups for group in range(groups + 1)]


class Communicator(ABC):
    """One rank's connection to the others.

    Attributes:
        rank: 0 .. size - 1; rank 0 reports and saves.
        size: Number of ranks.
        part: This rank's entries of theta.
        states: ``(rows, layout.size)``, the optimizer state; every rank sees all of it and updates its part.
        squares: Sum of the squares of each block of a gradient, see ``norm``.
    """

    rank: int
    size: int
    part: slice
    states: Array
    squares: Array

    def __init__(self, layout: VectorParts, dtype: np.dtype[Any]):
        self.scratch = np.empty(layout.size, dtype)
        self.scratch_views = layout.views(self.scratch)
        self.block = np.empty(BLOCK)

    def micro_batches(self, count: int) -> range:
        """Return the micro-batches of this rank: those of neighboring groups, as evenly as possible."""
        starts = group_starts(count)
        groups = len(starts) - 1
        return range(starts[self.rank * groups // self.size], starts[(self.rank + 1) * groups // self.size])

    def gradient_views(self, i: int, count: int) -> Views:
        """Return the buffers for the gradient of micro-batch i of ``count``."""
        starts = group_starts(count)
        return self.group_views(starts.index(i)) if i in starts else self.scratch_views

    def add_gradient(self, i: int, count: int, loss: float, correct: int) -> None:
        """Add the gradient of micro-batch i, now in its buffers, and record its loss and correct predictions."""
        self.record(i, loss, correct)
        starts = group_starts(count)
        if i not in starts:
            self.add_to_group(sum(start <= i for start in starts) - 1)

    def norm(self, gradient: Array) -> float:
        """Return the norm of the whole gradient, given my part: the same bits on every rank."""
        for start in range(0, len(gradient), BLOCK):
            values = gradient[start : start + BLOCK]
            block = self.block[: len(values)]
            block[...] = values  # in float64 no square overflows
            self.squares[(self.part.start + start) // BLOCK] = np.dot(block, block)
        self.allgather()
        return math.sqrt(self.squares.sum())

    @abstractmethod
    def group_views(self, group: int) -> Views:
        """Return the buffers for the gradient of the first micro-batch of a group."""

    @abstractmethod
    def add_to_group(self, group: int) -> None:
        """Add the gradient in ``scratch`` to that of a group."""

    @abstractmethod
    def record(self, i: int, loss: float, correct: int) -> None:
        """Record the loss and the number of correct predictions of micro-batch i."""

    @abstractmethod
    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        """Wait for all ranks; return my part of the summed gradient, the total loss and correct predictions.

        The caller may overwrite the gradient.
        """

    @abstractmethod
    def allgather(self) -> None:
        """Wait until all ranks have written their parts of theta or ``squares``."""

    @abstractmethod
    def allreduce(self, count: int) -> tuple[float, int]:
        """Wait for all ranks; return the total loss and correct predictions of ``count`` micro-batches."""
