"""The communicator of a single process."""

import math
from typing import Any, final

import numpy as np

from cnntrain.parallel.communicator import Communicator, VectorParts, Views, blocks
from cnntrain.types import Array


@final
class SingleProcess(Communicator):
    """The only rank; adds each group to the sum when the next one starts.

    Args:
        layout: Layout of theta.
        dtype: Type of the gradients.
        rows: Rows of ``states``.
    """

    def __init__(self, layout: VectorParts, dtype: np.dtype[Any], rows: int = 0):
        super().__init__(layout, dtype)
        self.states, self.squares = np.zeros((rows, layout.size), dtype), np.zeros(blocks(layout.size))
        self.rank, self.size, self.part = 0, 1, slice(0, layout.size)
        self.total, self.group = np.zeros(layout.size, dtype), np.empty(layout.size, dtype)
        self.total_views, self.views = layout.views(self.total), layout.views(self.group)
        self.open_group = 0
        self.losses: dict[int, float] = {}
        self.corrects: dict[int, int] = {}

    def group_views(self, group: int) -> Views:
        if group > 1:
            self.total += self.group
        self.open_group = group
        return self.views if group else self.total_views

    def add_to_group(self, group: int) -> None:
        target = self.group if group else self.total
        target += self.scratch

    def record(self, i: int, loss: float, correct: int) -> None:
        self.losses[i], self.corrects[i] = loss, correct

    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        if self.open_group:
            self.total += self.group
        return self.total, *self.allreduce(count)

    def allgather(self) -> None:
        return

    def allreduce(self, count: int) -> tuple[float, int]:
        return math.fsum(self.losses[i] for i in range(count)), sum(self.corrects[i] for i in range(count))
