"""Ranks that are processes of one machine, with parameters and gradients in shared memory."""

import math
import os
import threading
import time
from collections.abc import Callable
from typing import final

import numpy as np

from cnntrain.layout import Layout
from cnntrain.parallel.communicator import GROUPS, Communicator, Views
from cnntrain.parallel.mapping import Fields, SharedArrays
from cnntrain.types import Array

SPINS = 2_000
"""Looks at the others' counters before the core is offered to somebody else: about a tenth of a millisecond."""
YIELDS = 2_000
"""Offers of the core before the rank goes to sleep."""
NAP = 0.0002
"""Seconds of sleep between two looks from then on."""
CACHE_LINE = 8
"""Counters that lie in one cache line; each rank's has a line of its own."""


def fields(layout: Layout, dtype: str, size: int, most_slices: int, batch_slices: int) -> Fields:
    """What the ranks share: counters, theta, a gradient for each group, and the slices' losses and right answers."""
    return {
        "counters": ((size + 1, CACHE_LINE), "int64"),
        "theta": ((layout.size,), dtype),
        "gradients": ((min(batch_slices, GROUPS), layout.size), dtype),
        "losses": ((most_slices,), "float64"),
        "rights": ((most_slices,), "int64"),
    }


class Stopped(Exception):
    """Rank 0 wants no more."""


@final
class Shared(Communicator):
    """One rank of several processes.

    Args:
        rank: This one's number.
        size: How many there are.
        arrays: Of ``fields``.
        layout: Of theta.
        watch: Called now and then while waiting; raises if there is nobody to wait for.
    """

    def __init__(self, rank: int, size: int, arrays: SharedArrays, layout: Layout, watch: Callable[[], None]):
        theta = arrays["theta"]
        super().__init__(layout, theta.dtype)
        self.rank, self.size, self.watch = rank, size, watch
        # Parts begin at multiples of 16 entries: whole cache lines.
        bounds = [min(layout.size, -(-(r * layout.size // size) // 16) * 16) for r in range(size + 1)]
        self.part = slice(bounds[rank], bounds[rank + 1] if rank + 1 < size else layout.size)
        self.gradients = arrays["gradients"]
        self.views = [layout.views(row) for row in self.gradients]
        self.losses, self.rights = arrays["losses"], arrays["rights"]
        self.counters = memoryview(arrays["counters"]).cast("B").cast("q")
        self.step = 0
        self.fence = threading.Lock()
        self.next_watch = 0.0

    def group_views(self, group: int) -> Views:
        return self.views[group]

    def add_to_group(self, group: int) -> None:
        self.gradients[group] += self.scratch

    def judged(self, i: int, loss: float, right: int) -> None:
        self.losses[i], self.rights[i] = loss, right
        now = time.monotonic()
        if now > self.next_watch:
            self.next_watch = now + 0.5
            self.look()

    def sum(self, count: int) -> tuple[Array, float, int]:
        self.barrier()
        total = self.gradients[0, self.part]
        for group in range(1, min(count, GROUPS)):
            total += self.gradients[group, self.part]
        return total, *self.told(count)

    def publish(self) -> None:
        self.barrier()

    def gather(self, count: int) -> tuple[float, int]:
        self.barrier()
        result = self.told(count)
        self.barrier()
        return result

    def told(self, count: int) -> tuple[float, int]:
        """Sum what the ranks said of ``count`` slices."""
        return math.fsum(self.losses[:count].tolist()), int(np.sum(self.rights[:count]))

    def stop(self) -> None:
        """Let the others go: the next barrier ends them."""
        self.counters[self.size * CACHE_LINE] = 1

    def look(self) -> None:
        """Raise if there is no reason to go on."""
        if self.counters[self.size * CACHE_LINE]:
            raise Stopped
        self.watch()

    def barrier(self) -> None:
        """Wait until every rank has come as far: microseconds while all run, the core given away while one does not."""
        self.step += 1
        # A lock taken and given back twice keeps what was written before from being seen after the counter, on
        # processors that reorder writes.
        for _ in range(2):
            with self.fence:
                pass
        self.counters[self.rank * CACHE_LINE] = self.step
        for other in range(self.size):
            if self.counters[other * CACHE_LINE] < self.step:
                self.wait_for(other * CACHE_LINE)
        with self.fence:
            pass

    def wait_for(self, place: int) -> None:
        """Wait until a counter has reached this step."""
        counters, step = self.counters, self.step
        for _ in range(SPINS):
            if counters[place] >= step:
                return
        for _ in range(YIELDS):
            if counters[place] >= step:
                return
            give_way()
        while counters[place] < step:
            self.look()
            time.sleep(NAP)


def give_way() -> None:
    """Offer the core to another process."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)
