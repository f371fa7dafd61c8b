"""How the ranks of one program work together.

Every rank runs the same program on the same data. A batch is cut into slices, and neighboring slices into at most
``GROUPS`` groups, by the config alone; each rank computes some groups, and then its part of their sum:

::

    for i in comm.slices(count):             my slices
        ... write the gradient into comm.gradient_views(i, count) ...
        comm.add_gradient(i, count, loss, right)
    gradient, loss, right = comm.reduce_scatter(count)  the groups' sum, in their order, for my part of theta
    ... comm.norm(gradient) ...              the length of all of it, if it is wanted
    theta[comm.part] -= ...
    comm.allgather()                           everybody's part of theta is new

Since slices, groups and the order of every sum are fixed, the bits do not depend on how many ranks there are.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np

from cnntrain.types import Array

Views = list[dict[str, Array]]
"""Parts of a vector under the names by which the program writes to them."""


class VectorParts(Protocol):
    """A vector as the ranks see it: how long it is, and how it is cut into parts."""

    size: int
    """Entries."""

    def views(self, vector: Array) -> Views:
        """Return views of the parts of ``vector``."""


GROUPS = 12
"""Gradients that a batch is summed from, at most: 1, 2, 3, 4, 6 or 12 ranks share them evenly."""


BLOCK = 2**12
"""Entries of theta whose squares are summed by one rank; parts of theta begin at multiples of it."""


def blocks(size: int) -> int:
    """How many blocks ``size`` entries are."""
    return -(-size // BLOCK)


def group_starts(count: int) -> list[int]:
    """First slice of each group, and the end of the last."""
    groups = min(count, GROUPS)
    return [group * count // groups for group in range(groups + 1)]


class Communicator(ABC):
    """What a rank knows of the others.

    Attributes:
        rank: 0 .. size - 1; rank 0 is the one that tells and saves.
        size: How many ranks there are.
        part: This rank's entries of theta.
        states: ``(rows, layout.size)``, what the optimizer keeps from step to step; every rank sees all of it, and
            changes its part.
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
        """Which of ``count`` slices this rank computes: those of neighboring groups, as evenly as it goes."""
        starts = group_starts(count)
        groups = len(starts) - 1
        return range(starts[self.rank * groups // self.size], starts[(self.rank + 1) * groups // self.size])

    def gradient_views(self, i: int, count: int) -> Views:
        """Return where the gradient of slice i of ``count`` is to be written."""
        starts = group_starts(count)
        return self.group_views(starts.index(i)) if i in starts else self.scratch_views

    def add_gradient(self, i: int, count: int, loss: float, correct: int) -> None:
        """Say that the gradient of slice i is in its place, and what ``evaluated`` says."""
        self.record(i, loss, correct)
        starts = group_starts(count)
        if i not in starts:
            self.add_to_group(sum(start <= i for start in starts) - 1)

    def norm(self, gradient: Array) -> float:
        """Return the length of the whole gradient, of which ``gradient`` is my part: the same bits on every rank."""
        for start in range(0, len(gradient), BLOCK):
            values = gradient[start : start + BLOCK]
            block = self.block[: len(values)]
            block[...] = values  # in float64 no square overflows
            self.squares[(self.part.start + start) // BLOCK] = np.dot(block, block)
        self.allgather()
        return math.sqrt(self.squares.sum())

    @abstractmethod
    def group_views(self, group: int) -> Views:
        """Return where the gradient of a group's first slice is to be written."""

    @abstractmethod
    def add_to_group(self, group: int) -> None:
        """Add the gradient in ``scratch`` to a group's."""

    @abstractmethod
    def record(self, i: int, loss: float, correct: int) -> None:
        """Say the loss and the right answers of slice i."""

    @abstractmethod
    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        """Wait for everybody; return my part of the gradient of ``count`` slices, their loss and their right answers.

        The gradient may be overwritten.
        """

    @abstractmethod
    def allgather(self) -> None:
        """Wait until everybody has published its part: of theta, or of what ``norm`` needs."""

    @abstractmethod
    def allreduce(self, count: int) -> tuple[float, int]:
        """Wait for everybody; return the sum of ``count`` slices' losses, and of their right answers."""
