"""The memory that the work on a slice of a batch needs: made once, for the largest slice, and overwritten."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer
from cnntrain.layers.dropout import DropoutCache
from cnntrain.ops.counter_rng import SampleIds
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Shape


class MicroBatchWorkspace(Workspaces):
    """All that the work on slices of n samples needs: the input, the layers' caches, and which samples they are.

    Args:
        layers: Of the network.
        n: Samples of a slice.
        dtype: Of the network.
        largest: That of larger slices, whose memory this one uses.
    """

    def __init__(
        self, layers: Sequence[Layer[Any]], n: int, dtype: DTypeLike, largest: "MicroBatchWorkspace | None" = None
    ):
        super().__init__(n, dtype)
        self.in_shape = layers[0].in_shape
        self.caches: list[Workspaces] = [layer.cache(n, dtype) for layer in layers]
        if largest is not None:
            self.largest = largest
            for cache, of_largest in zip(self.caches, largest.caches, strict=True):
                cache.largest = of_largest
        self.sample_ids = SampleIds(0, np.arange(n))
        for cache in self.caches:
            if isinstance(cache, DropoutCache):
                cache.sample_ids = self.sample_ids

    @workspace
    def x(self) -> Shape:
        """The slice."""
        return (*self.in_shape, self.n)

    def reclaim(self) -> None:
        """Take note that slices of another size have used the memory."""
        for cache in self.caches:
            cache.reclaim()


def workspace_bytes(layers: Sequence[Layer[Any]], dtype: DTypeLike, learned: int, evaluated: int) -> int:
    """Return the bytes of memory that training uses for slices, by their shapes alone.

    Args:
        layers: Of the network.
        dtype: Of the network.
        learned: Samples of the largest slice that goes forward and back; 0: none does.
        judged: Samples of the largest slice that goes forward only.
    """
    total = 0
    both = [MicroBatchWorkspace(layers, n, dtype) for n in (max(1, learned), max(1, evaluated))]
    for step, (training, evaluation) in enumerate(zip(*([memory, *memory.caches] for memory in both), strict=True)):
        for array in training.declared():
            if array.use == "evaluation":
                total += max(array.nbytes(training), array.nbytes(evaluation))
            elif learned and not (array.use == "delta" and step == 1):  # nobody wants dJ/dx
                total += array.nbytes(training)
    return total


class WorkspacePool:
    """The memories for slices of all sizes, which take turns in that of the largest one.

    Args:
        layers: Of the network.
        dtype: Of the network.
        most: Samples of a slice, at most.
    """

    def __init__(self, layers: Sequence[Layer[Any]], dtype: DTypeLike, most: int):
        self.layers, self.dtype, self.most = layers, dtype, most
        self.free()

    def free(self) -> None:
        """Let all of it go; it is made again when it is needed."""
        self.largest: MicroBatchWorkspace | None = None
        self.last: MicroBatchWorkspace | None = None
        self.by_size: dict[int, MicroBatchWorkspace] = {}

    def of(self, n: int) -> MicroBatchWorkspace:
        """Return the memory for slices of n samples; what others left in it is lost."""
        if self.largest is None or n > self.largest.n:
            self.free()
            # A batch is cut into slices of two sizes that differ by one.
            self.largest = MicroBatchWorkspace(self.layers, max(n, min(n + 1, self.most)), self.dtype)
        if n not in self.by_size:
            self.by_size[n] = MicroBatchWorkspace(self.layers, n, self.dtype, self.largest)
        memory = self.by_size[n]
        if memory is not self.last:
            memory.reclaim()
            self.last = memory
        return memory
