"""Dropout: training zeroes each value with probability ``rate`` and scales up the others (inverted dropout).

    y = mask ⊙ x,  mask = 0 with probability rate, else 1 / (1 - rate);  backward: delta_prev = mask ⊙ delta

In evaluation mode, y = x: the mean of the mask is 1. The mask of a sample follows from the seed, the layer, the epoch
and the sample, so it does not depend on micro-batches or workers.

Reference: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.fault import Fault
from cnntrain.ops.counter_rng import CounterRng, SampleIds
from cnntrain.ops.phases import memory_shape, phases, split_by_phase
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape

DROPOUT = 5
"""Spawn key of the random numbers of dropout."""
LEVELS = 2**16
"""The random numbers have 16 bits, so ``rate`` is rounded to a multiple of 1/65536."""


class DropoutCache(Workspaces):
    """Memory for micro-batches of n samples."""

    def __init__(self, in_shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.in_shape, self.shape = in_shape, memory_shape(in_shape)
        self.sample_ids = SampleIds(0, np.arange(n))

    def set_sample_ids(self, sample_ids: SampleIds) -> None:
        self.sample_ids = sample_ids

    @partial(workspace, dtype=np.uint64, use="training")
    def words(self) -> Shape:
        """The random numbers of each sample, four in a word."""
        return self.n, -(-math.prod(self.shape) // 4)

    @cached_property
    def numbers(self) -> NDArray[np.uint16]:
        """The random number of each value, drawn in the order ``(H, C, W)``, as ``(H, Q, C, W / Q, n)``."""
        numbers = self.words.view(np.uint16)[:, : math.prod(self.shape)].T.reshape(*self.in_shape, self.n)
        if len(self.in_shape) != 3:
            return numbers
        return split_by_phase(numbers, phases(self.in_shape[2]))

    @partial(workspace, dtype=np.bool_, use="training")
    def kept(self) -> Shape:
        """Which values are kept."""
        return (*self.shape, self.n)

    @partial(workspace, use="training")
    def mask(self) -> Shape:
        """The factors of the input."""
        return (*self.shape, self.n)

    @partial(workspace, use="training")
    def y(self) -> Shape:
        """The output of ``forward``."""
        return (*self.shape, self.n)


def _no_mask(
    layer: "Dropout",
    x: Array,
    delta: Array,
    cache: DropoutCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    return delta


@final
class Dropout(Layer[DropoutCache]):
    """y = mask ⊙ x in training, y = x in evaluation mode.

    Shape:
        x ``(H, C, W, N)`` or ``(features, N)`` -> y of the same shape.
    """

    kind = "dropout"
    keeps_output = True  # in evaluation mode it is the input
    faults: ClassVar[Mapping[str, Fault]] = {
        "no_mask": Fault(
            "dropout: delta goes back unmasked; what was dropped has no part in J",
            _no_mask,
            lambda layer: layer.dropped > 0,
        )
    }

    def __init__(self, index: int, in_shape: Shape, rate: float, seed: int):
        self.index, self.params = index, {}
        self.in_shape = self.out_shape = in_shape
        self.rng = CounterRng(seed, (DROPOUT, index))
        self.dropped = min(round(rate * LEVELS), LEVELS - 1)
        self.scale = LEVELS / (LEVELS - self.dropped)

    def cache(self, n: int, dtype: DTypeLike) -> DropoutCache:
        return DropoutCache(self.in_shape, n, dtype)

    def forward(self, x: Array, cache: DropoutCache) -> Array:
        self.rng.words(cache.sample_ids, cache.words)
        np.greater_equal(cache.numbers, self.dropped, out=cache.kept.reshape(cache.numbers.shape))
        np.multiply(cache.kept, cache.y.dtype.type(self.scale), out=cache.mask)
        return np.multiply(x, cache.mask, out=cache.y)

    def infer(self, x: Array, cache: DropoutCache) -> Array:
        return x

    def backward(
        self, delta: Array, cache: DropoutCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        return np.multiply(delta, cache.mask, out=delta) if want_delta else None

    def intermediates(self, cache: DropoutCache) -> dict[str, Array]:
        return {"mask": cache.mask}

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        return x  # the identity in evaluation mode
