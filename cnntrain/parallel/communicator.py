"""Communication among the ranks of one program.

Every rank runs the same program on the same data. A batch consists of micro-batches; each rank computes some
neighboring ones, and then its part of their sum:

::

    for i in comm.micro_batches(count):                   my micro-batches
        ... write the gradient into comm.gradient_views(i, count) ...
        comm.add_gradient(i, count, loss, correct)
    gradient, loss, correct = comm.reduce_scatter(count)  the sum over all, for my part of theta
    ... comm.norm(gradient) ...                           optionally, the norm of the whole gradient
    theta[comm.part] -= ...
    comm.allgather()                                      all parts of theta are updated

Micro-batches and the order of every sum are fixed (``summation_tree``), so the bits do not depend on the number of
ranks.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np

from cnntrain.ops.workspace import aligned_empty
from cnntrain.parallel.summation_tree import share
from cnntrain.types import Array

Views = list[dict[str, Array]]
"""Named views of the parts of a vector."""


class VectorParts(Protocol):
    """Size of a vector and its division into parts."""

    size: int
    """Number of entries of a gradient."""
    theta_size: int
    """Number of entries of theta: those of a gradient, then what is frozen."""

    def views(self, vector: Array) -> Views:
        """Return views of the parts of ``vector``."""


BLOCK = 2**12
"""Entries of theta per partial sum of squares; parts of theta begin at multiples of it."""


def blocks(size: int) -> int:
    """Return the number of blocks in ``size`` entries."""
    return -(-size // BLOCK)


class Communicator(ABC):
    """One rank's connection to the others.

    Attributes:
        rank: 0 .. size - 1; rank 0 reports and saves.
        size: Number of ranks.
        part: This rank's entries of theta.
        rows: The gradients on this rank's stack, see ``summation_tree``; more are made when they are needed.
        states: ``(rows, layout.size)``, the optimizer state; every rank updates its part; see ``collect``.
        squares: Sum of the squares of each block of a gradient, see ``norm``.
    """

    part: slice
    states: Array
    squares: Array

    def __init__(self, layout: VectorParts, dtype: np.dtype[Any], rank: int, size: int, rows: Sequence[Array] = ()):
        self.layout, self.dtype, self.rank, self.size = layout, dtype, rank, size
        self.rows = list(rows)
        self.views = [layout.views(row) for row in self.rows]
        self.block = np.empty(BLOCK)

    def micro_batches(self, count: int) -> range:
        """Return the micro-batches of this rank: neighboring ones, as evenly as possible."""
        return share(count, self.rank, self.size).micro_batches

    def gradient_views(self, i: int, count: int) -> Views:
        """Return the buffers for the gradient of micro-batch i of ``count``."""
        mine = share(count, self.rank, self.size)
        row = mine.rows[i - mine.micro_batches.start]
        while row >= len(self.rows):
            self.rows.append(aligned_empty((self.layout.size,), self.dtype))
            self.views.append(self.layout.views(self.rows[-1]))
        return self.views[row]

    def add_gradient(self, i: int, count: int, loss: float, correct: int) -> None:
        """Add the gradient of micro-batch i, now in its buffers, and record its loss and correct predictions."""
        self.record(i, loss, correct)
        mine = share(count, self.rank, self.size)
        i -= mine.micro_batches.start
        for last in range(mine.rows[i], mine.rows[i] - mine.additions[i], -1):
            self.rows[last - 1] += self.rows[last]

    def norm(self, gradient: Array) -> float:
        """Return the norm of the whole gradient, given my part: the same bits on every rank."""
        for start in range(0, len(gradient), BLOCK):
            values = gradient[start : start + BLOCK]
            block = self.block[: len(values)]
            block[...] = values  # in float64 no square overflows
            self.squares[(self.part.start + start) // BLOCK] = np.dot(block, block)
        self.share_squares()
        return math.sqrt(self.squares.sum())

    def lock_step(self) -> AbstractContextManager[object]:
        """Return a context manager around a loop that all ranks run."""
        return nullcontext()

    def pause(self) -> None:
        """Rank 0's caller now decides how to continue."""
        return

    def proceed(self) -> bool:
        """Return whether the loop goes on after ``pause``; rank 0's always does, or its caller closes it."""
        return True

    def collect(self) -> None:
        """Have rank 0 see the whole optimizer state, between two steps; called on rank 0 only."""
        return

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
        """Wait until all ranks have updated their parts of theta; then every rank sees all of it."""

    @abstractmethod
    def share_squares(self) -> None:
        """Wait until all ranks have written their parts of ``squares``; then every rank sees all of them."""

    @abstractmethod
    def allreduce(self, count: int) -> tuple[float, int]:
        """Wait for all ranks; return the total loss and correct predictions of ``count`` micro-batches."""
