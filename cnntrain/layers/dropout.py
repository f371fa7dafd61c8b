"""Dropout: training zeroes each value with probability ``rate`` and scales up the others (inverted dropout).

    y = mask ⊙ x,  mask = 0 with probability rate, else 1 / (1 - rate);  backward: delta_prev = mask ⊙ delta

In evaluation mode, y = x: the mean of the mask is 1. The mask of a sample follows from the seed, the layer, the epoch
and the sample, so it does not depend on micro-batches or workers.

Reference: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.fault import Fault
from cnntrain.ops.counter_rng import CounterRng, SampleIds
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape

DROPOUT = 5
"""Spawn key of the random numbers of dropout."""
LEVELS = 2**16
"""The random numbers have 16 bits, so ``rate`` is rounded to a multiple of 1/65536."""


class DropoutCache(Workspaces):
    """Memory for micro-batches of n samples."""

    def __init__(self, shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.shape = shape
        self.sample_ids = SampleIds(0, np.arange(n))

    def set_sample_ids(self, sample_ids: SampleIds) -> None:
        self.sample_ids = sample_ids

    @partial(workspace, dtype=np.bool_, use="training")
    def kept(self) -> Shape:
        """Which values are kept, for each sample."""
        return self.n, math.prod(self.shape)

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

    def kept(self, epoch: int, sample: int, out: NDArray[np.bool_]) -> None:
        """Write which values of a sample are kept, in the network's memory order."""
        bits = self.rng.generator(epoch, sample).bit_generator.random_raw(-(-out.size // 4))
        np.greater_equal(bits.view(np.uint16)[: out.size], self.dropped, out=out)

    def cache(self, n: int, dtype: DTypeLike) -> DropoutCache:
        return DropoutCache(self.in_shape, n, dtype)

    def forward(self, x: Array, cache: DropoutCache) -> Array:
        for sample, kept in zip(cache.sample_ids.samples.tolist(), cache.kept, strict=True):
            self.kept(cache.sample_ids.epoch, sample, kept)
        by_sample = cache.y.reshape(cache.kept.shape)  # used as scratch; in the mask, samples come last
        np.multiply(cache.kept, cache.y.dtype.type(self.scale), out=by_sample)
        np.copyto(cache.mask.reshape(by_sample.shape[::-1]), by_sample.T)
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
