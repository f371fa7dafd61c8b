"""Ranks that are processes of one machine, with parameters and gradients in shared memory."""

import math
import threading
import time
from collections.abc import Callable
from typing import final

import numpy as np

from cnntrain.parallel.communicator import BLOCK, GROUPS, Communicator, VectorParts, Views, blocks
from cnntrain.parallel.mapping import Fields, SharedArrays
from cnntrain.types import Array

SPIN_COUNT = 2_000
"""Looks at another's counter before the core is given away: about a tenth of a millisecond."""
MIN_NAP, MAX_NAP = 0.00005, 0.002
"""Seconds of sleep between two looks from then on, each a tenth longer than the last: a tenth of the wait so far."""
CHECK_SECONDS = 0.5
"""Seconds between two looks at the other processes while there is work to do."""
CACHE_LINE = 8
"""Counters that lie in one cache line; each rank's has a line of its own."""


def fields(
    layout: VectorParts, dtype: str, size: int, max_micro_batches: int, micro_batches: int, rows: int = 0
) -> Fields:
    """What the ranks share: counters, theta, a gradient for each group, and the slices' losses and right answers.

    Args:
        layout: Of theta.
        dtype: Of theta.
        size: Ranks.
        most_slices: Slices that are judged at a time, at most.
        batch_slices: Slices of a batch, at most.
        rows: Of the optimizer's states.
    """
    return {
        "counters": ((size, CACHE_LINE), "int64"),
        "theta": ((layout.size,), dtype),
        "gradients": ((min(micro_batches, GROUPS), layout.size), dtype),
        "states": ((rows, layout.size), dtype),
        "squares": ((blocks(layout.size),), "float64"),
        "losses": ((max_micro_batches,), "float64"),
        "corrects": ((max_micro_batches,), "int64"),
    }


@final
class SharedMemory(Communicator):
    """One rank of several processes.

    Args:
        rank: This one's number.
        size: How many there are.
        arrays: Of ``fields``.
        layout: Of theta.
        check_alive: Called now and then while waiting; raises if there is nobody to wait for.
    """

    def __init__(
        self, rank: int, size: int, arrays: SharedArrays, layout: VectorParts, check_alive: Callable[[], None]
    ):
        theta = arrays["theta"]
        super().__init__(layout, theta.dtype)
        self.rank, self.size, self.check_alive = rank, size, check_alive
        # Whole blocks, and so whole cache lines.
        bounds = [min(layout.size, r * blocks(layout.size) // size * BLOCK) for r in range(size + 1)]
        self.part = slice(bounds[rank], bounds[rank + 1] if rank + 1 < size else layout.size)
        self.gradients = arrays["gradients"]
        self.views = [layout.views(row) for row in self.gradients]
        self.states, self.squares = arrays["states"], arrays["squares"]
        self.losses, self.corrects = arrays["losses"], arrays["corrects"]
        self.counters = arrays["counters"].data.cast("B").cast("q")
        self.step = 0
        self.lock = threading.Lock()
        self.next_check = 0.0
        self.waiting_since: float | None = None
        """Since when this rank waits for another one."""

    def group_views(self, group: int) -> Views:
        return self.views[group]

    def add_to_group(self, group: int) -> None:
        self.gradients[group] += self.scratch

    def record(self, i: int, loss: float, correct: int) -> None:
        self.losses[i], self.corrects[i] = loss, correct
        now = time.monotonic()
        if now > self.next_check:
            self.next_check = now + CHECK_SECONDS
            self.check_alive()

    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        self.barrier()
        total = self.gradients[0, self.part]
        for group in range(1, min(count, GROUPS)):
            total += self.gradients[group, self.part]
        return total, *self.totals(count)

    def allgather(self) -> None:
        self.barrier()

    def allreduce(self, count: int) -> tuple[float, int]:
        self.barrier()
        result = self.totals(count)
        self.barrier()
        return result

    def totals(self, count: int) -> tuple[float, int]:
        """Sum what the ranks said of ``count`` slices."""
        return math.fsum(self.losses[:count].tolist()), int(np.sum(self.corrects[:count]))

    def barrier(self) -> None:
        """Wait until every rank has come as far: microseconds while all run, the core given away while one does not."""
        self.step += 1
        self.fence()
        self.counters[self.rank * CACHE_LINE] = self.step
        for other in range(self.size):
            if self.counters[other * CACHE_LINE] < self.step:
                self.wait_for(other * CACHE_LINE)
        self.fence()

    def fence(self) -> None:
        """Keep reads and writes before it from trading places with those after it, on processors that reorder them.

        What comes before stays before the first giving back of the lock, what comes after stays behind the second
        taking, and these two keep their order.
        """
        for _ in range(2):
            with self.lock:
                pass

    def wait_for(self, place: int) -> None:
        """Wait until a counter has reached this step."""
        counters, step = self.counters, self.step
        for _ in range(SPIN_COUNT):
            if counters[place] >= step:
                return
        nap, self.waiting_since = MIN_NAP, time.monotonic()
        while counters[place] < step:
            self.check_alive()
            time.sleep(nap)
            nap = min(1.1 * nap, MAX_NAP)
        self.waiting_since = None
