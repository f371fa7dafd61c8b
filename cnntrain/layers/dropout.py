"""Dropout: in training each value is left out with probability ``rate``, and what stays is scaled up to make up for it.

    y = mask ⊙ x,  mask = 0 with probability rate, else 1 / (1 - rate);  going back, delta_prev = mask ⊙ delta

In use nothing is left out, and since the mean of the mask is 1, nothing needs to be scaled then. The mask of a sample
follows from the seed, the layer, the epoch and the sample, and so from nothing that slices or workers change.

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
"""The use of the seed that this is."""
LEVELS = 2**16
"""A value is drawn in 16 bits, so that ``rate`` is taken in steps of 1/65536."""


class DropoutCache(Workspaces):
    """Memory for slices of n samples."""

    def __init__(self, shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.shape = shape
        self.sample_ids = SampleIds(0, np.arange(n))

    def set_sample_ids(self, sample_ids: SampleIds) -> None:
        self.sample_ids = sample_ids

    @partial(workspace, dtype=np.bool_, use="training")
    def kept(self) -> Shape:
        """Which values stay, by sample."""
        return self.n, math.prod(self.shape)

    @partial(workspace, use="training")
    def mask(self) -> Shape:
        """What the input is multiplied with."""
        return (*self.shape, self.n)

    @partial(workspace, use="training")
    def y(self) -> Shape:
        """What ``forward`` returns."""
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
    """y = mask ⊙ x in training, y = x in use.

    Shape:
        x ``(H, C, W, N)`` or ``(features, N)`` -> y of the same shape.
    """

    kind = "dropout"
    faults: ClassVar[Mapping[str, Fault]] = {
        "no_mask": Fault("dropout: delta passes as a whole", _no_mask, lambda layer: layer.dropped > 0)
    }

    def __init__(self, index: int, in_shape: Shape, rate: float, seed: int):
        self.index, self.params = index, {}
        self.in_shape = self.out_shape = in_shape
        self.draws = CounterRng(seed, (DROPOUT, index))
        self.dropped = min(round(rate * LEVELS), LEVELS - 1)
        self.scale = LEVELS / (LEVELS - self.dropped)

    def kept(self, epoch: int, sample: int, out: NDArray[np.bool_]) -> None:
        """Write which values of a sample stay, in the order in which they lie inside the network."""
        bits = self.draws.generator(epoch, sample).bit_generator.random_raw(-(-out.size // 4))
        np.greater_equal(bits.view(np.uint16)[: out.size], self.dropped, out=out)

    def cache(self, n: int, dtype: DTypeLike) -> DropoutCache:
        return DropoutCache(self.in_shape, n, dtype)

    def forward(self, x: Array, cache: DropoutCache) -> Array:
        for sample, kept in zip(cache.sample_ids.samples.tolist(), cache.kept, strict=True):
            self.kept(cache.sample_ids.epoch, sample, kept)
        by_sample = cache.y.reshape(cache.kept.shape)  # on the way to the mask, whose samples come last
        np.multiply(cache.kept, cache.y.dtype.type(self.scale), out=by_sample)
        np.copyto(cache.mask.reshape(by_sample.shape[::-1]), by_sample.T)
        return np.multiply(x, cache.mask, out=cache.y)

    def infer(self, x: Array, cache: DropoutCache) -> Array:
        return x

    def backward(
        self, delta: Array, cache: DropoutCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        return np.multiply(delta, cache.mask, out=delta) if want_delta else None

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        return x  # nothing is left out in evaluation mode
