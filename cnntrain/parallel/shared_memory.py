"""Ranks as processes of one machine, with parameters and gradients in shared memory."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import final

import numpy as np

from cnntrain.parallel.communicator import BLOCK, Communicator, VectorParts, blocks
from cnntrain.parallel.mapping import Fields, SharedArrays
from cnntrain.parallel.summation_tree import combination, row_starts
from cnntrain.types import Array

SPIN_COUNT = 2_000
"""Reads of another rank's counter before sleeping: about 0.1 ms."""
MIN_NAP, MAX_NAP = 0.00005, 0.002
"""Seconds to sleep between two reads, growing by 10 % each: about a tenth of the wait so far."""
CHECK_SECONDS = 0.5
"""Seconds between two checks of the other processes while working."""
CACHE_LINE = 8
"""Counters per cache line; each rank has its own line."""


def fields(
    layout: VectorParts, dtype: str, size: int, max_micro_batches: int, counts: Sequence[int], rows: int = 0
) -> Fields:
    """Return the arrays that ranks share: counters, theta, gradients, optimizer state, losses and correct counts.

    Args:
        layout: Layout of theta.
        dtype: Type of theta.
        size: Number of ranks.
        max_micro_batches: Maximum number of micro-batches evaluated at a time.
        counts: Numbers of micro-batches that a batch may have.
        rows: Rows of the optimizer state.
    """
    return {
        "counters": ((size, CACHE_LINE), "int64"),
        "theta": ((layout.theta_size,), dtype),
        "gradients": ((row_starts(counts, size)[-1], layout.size), dtype),
        "states": ((rows, layout.size), dtype),
        "squares": ((blocks(layout.size),), "float64"),
        "losses": ((max_micro_batches,), "float64"),
        "corrects": ((max_micro_batches,), "int64"),
    }


@final
class SharedMemory(Communicator):
    """One rank of several processes.

    Args:
        rank: This rank.
        size: Number of ranks.
        arrays: The arrays of ``fields``.
        layout: Layout of theta.
        counts: Numbers of micro-batches that a batch may have.
        check_alive: Called from time to time while waiting; raises if another rank has died.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        arrays: SharedArrays,
        layout: VectorParts,
        counts: Sequence[int],
        check_alive: Callable[[], None],
    ):
        theta = arrays["theta"]
        self.gradients, self.starts = arrays["gradients"], row_starts(counts, size)
        super().__init__(
            layout, theta.dtype, rank, size, list(self.gradients[self.starts[rank] : self.starts[rank + 1]])
        )
        self.check_alive = check_alive
        # Whole blocks are whole cache lines.
        bounds = [min(layout.size, r * blocks(layout.size) // size * BLOCK) for r in range(size + 1)]
        self.part = slice(bounds[rank], bounds[rank + 1] if rank + 1 < size else layout.size)
        self.states, self.squares = arrays["states"], arrays["squares"]
        self.losses, self.corrects = arrays["losses"], arrays["corrects"]
        self.counters = arrays["counters"].data.cast("B").cast("q")
        self.step = 0
        self.lock = threading.Lock()
        self.next_check = 0.0
        self.waiting_since: float | None = None
        """When this rank began to wait for another."""

    def record(self, i: int, loss: float, correct: int) -> None:
        self.losses[i], self.corrects[i] = loss, correct
        now = time.monotonic()
        if now > self.next_check:
            self.next_check = now + CHECK_SECONDS
            self.check_alive()

    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        self.barrier()
        stack: list[Array] = []
        for (rank, row), additions in zip(*combination(count, self.size), strict=True):
            stack.append(self.gradients[self.starts[rank] + row, self.part])
            for _ in range(additions):
                last = stack.pop()
                stack[-1] += last
        return stack[0], *self.totals(count)

    def allgather(self) -> None:
        self.barrier()

    def share_squares(self) -> None:
        self.barrier()

    def allreduce(self, count: int) -> tuple[float, int]:
        self.barrier()
        result = self.totals(count)
        self.barrier()
        return result

    def totals(self, count: int) -> tuple[float, int]:
        """Return the total loss and correct predictions of ``count`` micro-batches."""
        return math.fsum(self.losses[:count].tolist()), int(np.sum(self.corrects[:count]))

    def barrier(self) -> None:
        """Wait for all ranks: spin for microseconds, then sleep."""
        self.step += 1
        self.fence()
        self.counters[self.rank * CACHE_LINE] = self.step
        for other in range(self.size):
            if self.counters[other * CACHE_LINE] < self.step:
                self.wait_for(other * CACHE_LINE)
        self.fence()

    def fence(self) -> None:
        """Memory fence: reads and writes before it are not reordered with those after it.

        Operations before stay before the first release of the lock, operations after stay after the second acquire, and
        these two keep their order.
        """
        for _ in range(2):
            with self.lock:
                pass

    def wait_for(self, index: int) -> None:
        """Wait until a counter reaches this step."""
        counters, step = self.counters, self.step
        for _ in range(SPIN_COUNT):
            if counters[index] >= step:
                return
        nap, self.waiting_since = MIN_NAP, time.monotonic()
        while counters[index] < step:
            self.check_alive()
            time.sleep(nap)
            nap = min(1.1 * nap, MAX_NAP)
        self.waiting_since = None
