"""The communicator of a single process."""

import math
from typing import Any, final

import numpy as np

from cnntrain.ops.workspace import aligned_empty
from cnntrain.parallel.communicator import Communicator, VectorParts, blocks
from cnntrain.types import Array


@final
class SingleProcess(Communicator):
    """The only rank.

    Args:
        layout: Layout of theta.
        dtype: Type of the gradients.
        rows: Rows of ``states``.
    """

    def __init__(self, layout: VectorParts, dtype: np.dtype[Any], rows: int = 0):
        super().__init__(layout, dtype, 0, 1)
        self.states, self.squares = aligned_empty((rows, layout.size), dtype), np.zeros(blocks(layout.size))
        self.states.fill(0)
        self.part = slice(0, layout.size)
        self.losses: dict[int, float] = {}
        self.corrects: dict[int, int] = {}

    def record(self, i: int, loss: float, correct: int) -> None:
        self.losses[i], self.corrects[i] = loss, correct

    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        return self.rows[0], *self.allreduce(count)

    def allgather(self) -> None:
        return

    def share_squares(self) -> None:
        return

    def allreduce(self, count: int) -> tuple[float, int]:
        return math.fsum(map(self.losses.__getitem__, range(count))), sum(map(self.corrects.__getitem__, range(count)))
