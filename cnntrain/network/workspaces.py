"""The memory for the work on a micro-batch: allocated once, for the largest micro-batch, and overwritten."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer
from cnntrain.layers.row import Row, workspace_sizes
from cnntrain.ops.counter_rng import SampleIds
from cnntrain.ops.phases import memory_shape
from cnntrain.ops.workspace import Use, Workspaces, workspace
from cnntrain.types import Shape


@lru_cache(maxsize=16)
def micro_batches(count: int, max_samples: int) -> tuple[slice, ...]:
    """Cut ``count`` samples into as few micro-batches as possible, whose sizes differ by one at most."""
    parts = -(-count // max_samples)
    return tuple(slice(i * count // parts, (i + 1) * count // parts) for i in range(parts))


class MicroBatchWorkspace(Workspaces):
    """All the memory for micro-batches of n samples: the input, the layers' caches and the ids of the samples.

    Args:
        layers: The network's layers.
        n: Number of samples.
        dtype: The network's type.
        largest: The workspace of a larger micro-batch, whose memory this one shares.
        frozen: How many of the layers, from the first on, only run in evaluation mode.
    """

    def __init__(
        self,
        layers: Sequence[Layer[Any]],
        n: int,
        dtype: DTypeLike,
        largest: "MicroBatchWorkspace | None" = None,
        frozen: int = 0,
    ):
        super().__init__(n, dtype)
        self.frozen = frozen
        self.in_shape = layers[0].in_shape
        self.largest = largest
        self.sample_ids = SampleIds(0, np.arange(n))
        self.caches: list[Workspaces] = Row(layers).caches(n, dtype, None if largest is None else largest.caches)
        for cache in self.caches:
            cache.set_sample_ids(self.sample_ids)

    @workspace
    def x(self) -> Shape:
        """The samples in memory, ``(H Q, C, W / Q, n)`` or ``(features, n)``."""
        return (*memory_shape(self.in_shape), self.n)

    def reclaim(self) -> None:
        """Prepare the caches for use after a micro-batch of another size has used the memory."""
        for cache in self.caches:
            cache.reclaim()

    def free(self) -> None:
        """Forget all arrays, those of the caches, too."""
        for cache in self.caches:
            cache.free()
        super().free()

    def sizes(self, want_delta: bool = False) -> list[tuple[Use, int]]:
        """Return the use and the bytes of each array that training needs: all but dJ/dx, which nobody reads."""
        return super().sizes() + workspace_sizes(self.caches, want_delta, self.frozen)


def workspace_bytes(
    layers: Sequence[Layer[Any]], dtype: DTypeLike, learned: int, evaluated: int, frozen: int = 0
) -> int:
    """Return the bytes of memory that training uses for micro-batches, computed from shapes alone.

    Args:
        layers: The network's layers.
        dtype: The network's type.
        learned: Samples of the largest micro-batch that is trained on; 0 if this process trains on none.
        evaluated: Samples of the largest micro-batch that is only evaluated.
        frozen: How many of the layers, from the first on, only run in evaluation mode.
    """
    total = 0
    training, evaluation = (
        MicroBatchWorkspace(layers, max(1, n), dtype, frozen=frozen).sizes() for n in (learned, evaluated)
    )
    for (use, to_train), (_, to_evaluate) in zip(training, evaluation, strict=True):
        if use == "evaluation":
            total += max(to_train, to_evaluate)
        elif learned:
            total += to_train
    return total


class WorkspacePool:
    """The workspaces for micro-batches of all sizes, which share the memory of the largest.

    Args:
        layers: The network's layers.
        dtype: The network's type.
        max_samples: Maximum number of samples of a micro-batch.
    """

    def __init__(self, layers: Sequence[Layer[Any]], dtype: DTypeLike, max_samples: int):
        self.layers, self.dtype, self.max_samples = layers, dtype, max_samples
        self.forget()

    def free(self) -> None:
        """Free all memory, also that of workspaces in use; it is allocated again when it is needed."""
        workspaces = [*self.by_size.values(), *([self.largest] if self.largest else [])]
        self.forget()
        for freed in workspaces:
            freed.free()

    def forget(self) -> None:
        """Begin anew; the memory is freed with the last workspace in use."""
        self.largest: MicroBatchWorkspace | None = None
        self.last: MicroBatchWorkspace | None = None
        self.by_size: dict[int, MicroBatchWorkspace] = {}

    def get(self, n: int) -> MicroBatchWorkspace:
        """Return the workspace for micro-batches of n samples; its contents are undefined."""
        if self.largest is None or n > self.largest.n:
            self.forget()
            # The micro-batches of a batch have two sizes that differ by one.
            self.largest = MicroBatchWorkspace(self.layers, max(n, min(n + 1, self.max_samples)), self.dtype)
        if n not in self.by_size:
            self.by_size[n] = MicroBatchWorkspace(self.layers, n, self.dtype, self.largest)
        current = self.by_size[n]
        if current is not self.last:
            current.reclaim()
            self.last = current
        return current
