"""How the ranks of one program work together.

Every rank runs the same program on the same data. A batch is cut into slices by the config alone; each rank computes
some of them, and then its part of their sum:

::

    for i in comm.slices(count):             my slices
        ... write the gradient into comm.place(i) ...
        comm.learned(i, loss, right)
    gradient, loss, right = comm.sum(count)  all slices' sum, in their order, for my part of theta
    theta[comm.part] -= ...
    comm.publish()                           everybody's part of theta is new

Since the slices and the order of their sum are fixed, the bits do not depend on how many ranks there are.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np

from cnntrain.layout import Layout
from cnntrain.types import Array

Views = list[dict[str, Array]]
"""Where the layers' gradients go, see ``Layout.views``."""


class Communicator(ABC):
    """What a rank knows of the others.

    Attributes:
        rank: 0 .. size - 1; rank 0 is the one that tells and saves.
        size: How many ranks there are.
        part: This rank's entries of theta.
    """

    rank: int
    size: int
    part: slice

    def slices(self, count: int) -> range:
        """Which of ``count`` slices this rank computes: neighbours, as evenly as it goes."""
        return range(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    @abstractmethod
    def place(self, i: int) -> Views:
        """Return where the gradient of slice i is to be written."""

    @abstractmethod
    def judged(self, i: int, loss: float, right: int) -> None:
        """Say the loss and the right answers of slice i."""

    def learned(self, i: int, loss: float, right: int) -> None:
        """Say that the gradient of slice i is in its place, and what ``judged`` says."""
        self.judged(i, loss, right)

    @abstractmethod
    def sum(self, count: int) -> tuple[Array, float, int]:
        """Wait for everybody; return my part of the sum of ``count`` gradients, their loss and their right answers.

        The gradient may be overwritten.
        """

    @abstractmethod
    def publish(self) -> None:
        """Wait until everybody's part of theta is new."""

    @abstractmethod
    def gather(self, count: int) -> tuple[float, int]:
        """Wait for everybody; return the sum of ``count`` slices' losses, and of their right answers."""


@final
class Alone(Communicator):
    """The only rank: sums each gradient as it comes."""

    def __init__(self, layout: Layout, dtype: np.dtype[Any]):
        self.rank, self.size, self.part = 0, 1, slice(0, layout.size)
        self.total, self.scratch = np.zeros(layout.size, dtype), np.empty(layout.size, dtype)
        self.total_views, self.scratch_views = layout.views(self.total), layout.views(self.scratch)
        self.losses: dict[int, float] = {}
        self.rights: dict[int, int] = {}

    def place(self, i: int) -> Views:
        return self.total_views if i == 0 else self.scratch_views

    def judged(self, i: int, loss: float, right: int) -> None:
        self.losses[i], self.rights[i] = loss, right

    def learned(self, i: int, loss: float, right: int) -> None:
        self.judged(i, loss, right)
        if i > 0:
            self.total += self.scratch

    def sum(self, count: int) -> tuple[Array, float, int]:
        return self.total, *self.gather(count)

    def publish(self) -> None:
        return

    def gather(self, count: int) -> tuple[float, int]:
        return math.fsum(self.losses[i] for i in range(count)), sum(self.rights[i] for i in range(count))
