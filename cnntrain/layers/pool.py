"""Max and average pooling over k x k regions or the whole image.

The backward pass is delta_prev = upsample(delta): max pooling routes each value to the position of the maximum, average
pooling spreads it evenly. Both run one axis at a time; see ``cnntrain.ops.pooling``. Global average pooling has its
own, faster layer.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnnxGraph, unread_sides
from cnntrain.layers.fault import Fault, backward_with_stride_1
from cnntrain.layers.pool_cache import GlobalPoolCache, PoolCache
from cnntrain.ops import pooling
from cnntrain.ops.phases import in_order, in_phases, phases
from cnntrain.types import Array, Shape


def _lost_stride(
    layer: "Pool",
    x: Array,
    delta: Array,
    cache: PoolCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    (OH, C, OW), P = layer.out_shape, layer.P
    k, _ = layer.region  # with S > 1, regions are square
    single = type(layer)(layer.index, (OH + k - 1 - 2 * P, C, OW + k - 1 - 2 * P), layer.region, 1, P)
    return backward_with_stride_1(single, layer, x, delta, grads)


def _overwrite(
    layer: "Pool",
    x: Array,
    delta: Array,
    cache: PoolCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    (OH, _, OW), (rows, columns), Q = layer.out_shape, layer.region, phases(layer.in_shape[2])
    delta_prev = np.zeros_like(in_order(x, Q))
    in_columns = in_order(delta, phases(OW))
    for oh, ow in np.ndindex(OH, OW):
        alone = np.zeros_like(in_columns)
        alone[oh, :, ow] = in_columns[oh, :, ow]
        layer.forward(x.copy(), cache)  # a cache serves one backward pass
        part = layer.backward(in_phases(alone, phases(OW)), cache, grads)
        top, left = oh * layer.S - layer.P, ow * layer.S - layer.P
        region = np.s_[max(top, 0) : top + rows, :, max(left, 0) : left + columns]
        if part is not None:
            delta_prev[region] = in_order(part, Q)[region]
    return in_phases(delta_prev, Q)


def _loses_stride(layer: "Pool") -> bool:
    (OH, _, OW), (k, _) = layer.out_shape, layer.region
    return layer.S > 1 and max(OH, OW) > 1 and min(OH, OW) + k - 1 > 2 * layer.P


class Pool(Layer[PoolCache]):
    """Base of max and average pooling.

    Args:
        index: Index of the entry in ``network.layers``.
        in_shape: ``(H, C, W)``.
        region: Rows and columns of a region.
        S: Stride, in pixels.
        P: Rows and columns of padding around the image.

    Shape:
        x ``(H, C, W, N)`` -> y ``(OH, C, OW, N)``, OH = (H + 2P - k) // S + 1, both with their columns by phase.
    """

    kind = "pool"
    onnx_operator: ClassVar[str]
    onnx_padding: ClassVar[Mapping[str, int]] = {}
    """ONNX attributes that say how padding counts."""
    faults: ClassVar[Mapping[str, Fault]] = {
        "lost_stride": Fault(
            "pool with S > 1: delta goes back as if S were 1; region i begins at pixel S i",
            _lost_stride,
            _loses_stride,
        ),
        "overwrite": Fault(
            "pool with S < k: where regions overlap, the last delta overwrites the others (= for +=); they add up",
            _overwrite,
            lambda layer: layer.overlap,
        ),
    }

    def __init__(self, index: int, in_shape: Shape, region: tuple[int, int], S: int, P: int = 0):
        H, C, W = in_shape[0] + 2 * P, in_shape[1], in_shape[2] + 2 * P
        self.region, self.S, self.P = region, S, P
        self.index, self.in_shape, self.params = index, in_shape, {}
        rows, columns = self.region
        OH, OW = (H - rows) // self.S + 1, (W - columns) // self.S + 1
        self.out_shape = (OH, C, OW)
        self.overlap = (rows > self.S and OH > 1) or (columns > self.S and OW > 1)

    @property
    def unread(self) -> list[str]:
        return unread_sides(self.in_shape, self.region, self.S, self.P)

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        # ceil_mode 0 ignores the last rows and columns where no region fits.
        sides, strides = list(self.region), [self.S] * 2
        padding = {"pads": [self.P] * 4, **self.onnx_padding} if self.P else {}
        return graph.node(
            self.onnx_operator, [x], f"{name}.pool", kernel_shape=sides, strides=strides, ceil_mode=0, **padding
        )

    def new_cache(self, matches: tuple[int, int], n: int, dtype: DTypeLike) -> PoolCache:
        """Return a cache with masks for ``matches`` comparisons along the rows and along the columns."""
        return PoolCache(self.in_shape, self.out_shape, self.region, self.S, self.P, self.overlap, matches, n, dtype)


@final
class MaxPool(Pool):
    """y = max over the region; in a tie, the first maximum in row-major order gets the gradient.

    Padding is never the maximum: it holds the type's lowest number, halved so that differences stay finite.
    """

    onnx_operator = "MaxPool"

    def cache(self, n: int, dtype: DTypeLike) -> PoolCache:
        return self.new_cache((self.region[0] - 1, self.region[1] - 1), n, dtype)

    def forward(self, x: Array, cache: PoolCache) -> Array:
        if self.P:
            x = cache.pad(x, np.finfo(cache.dtype).min / 2)
        for (views, pooled), (won, gathered) in zip(cache.columns(x), cache.comparisons, strict=True):
            # Two operations read each column: one strided copy is faster than two strided reads.
            for copy, column in zip(gathered, views, strict=False):
                copy[...] = column
            pooling.max_forward(gathered or views, pooled, won)
        pooling.max_forward(cache.rows, cache.result, cache.rows_won)
        return cache.in_order()

    def infer(self, x: Array, cache: PoolCache) -> Array:
        if self.P:
            x = cache.pad(x, np.finfo(cache.dtype).min / 2)
        for views, pooled in cache.columns(x):
            pooling.max_only(views, pooled)
        pooling.max_only(cache.rows, cache.result)
        return cache.in_order()

    def backward(
        self, delta: Array, cache: PoolCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        if not want_delta:
            return None
        for part in cache.zeros:
            part.fill(0)
        delta = cache.delta_in_phases(delta)
        scratch = cache.gathered[0].ravel()[: delta.size].reshape(delta.shape) if len(cache.gathered) else None
        pooling.max_backward(delta, cache.rows_won, cache.delta_rows, scratch if self.overlap else None, self.overlap)
        for (views, of_columns), (won, gathered) in zip(cache.delta_views, cache.comparisons, strict=True):
            pooling.max_backward(of_columns, won, views, gathered[0] if gathered else None, self.overlap)
        return cache.unpad()

    def intermediates(self, cache: PoolCache) -> dict[str, Array]:
        rows, columns = np.zeros(cache.row_shape, int), np.zeros(cache.pooled_shape, int)
        for i, won in enumerate(cache.rows_won, 1):
            rows[won != 0] = i
        for j, won in enumerate(cache.columns_won, 1):
            columns[won != 0] = j
        first = self.S * np.arange(len(rows))[:, None, None, None, None]
        in_phases = rows * self.region[1] + np.take_along_axis(columns, first + rows, axis=0)
        winner = np.empty(cache.y.shape, int)
        for of_output, of_phase in cache.ordered(winner, in_phases):
            of_output[...] = of_phase
        return {"winner": winner}

    def pattern(self, cache: PoolCache) -> Array | None:
        won = [np.ravel(won) for won in (*cache.columns_won, *cache.rows_won)]
        return np.concatenate(won) if won else None


@final
class AveragePool(Pool):
    """y = mean over the region; padding counts as zeros, as in PyTorch's default (count_include_pad)."""

    onnx_operator = "AveragePool"
    onnx_padding: ClassVar[Mapping[str, int]] = {"count_include_pad": 1}

    def cache(self, n: int, dtype: DTypeLike) -> PoolCache:
        return self.new_cache((0, 0), n, dtype)

    def forward(self, x: Array, cache: PoolCache) -> Array:
        if self.P:
            x = cache.pad(x, 0)
        for views, pooled in cache.columns(x):
            pooling.sum_forward(views, pooled)
        pooling.sum_forward(cache.rows, cache.result)
        y = cache.in_order()
        y *= 1 / math.prod(self.region)
        return y

    def backward(
        self, delta: Array, cache: PoolCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        if not want_delta:
            return None
        for part in cache.zeros:
            part.fill(0)
        delta *= 1 / math.prod(self.region)
        pooling.sum_backward(cache.delta_in_phases(delta), cache.delta_rows, self.overlap)
        for views, of_columns in cache.delta_views:
            pooling.sum_backward(of_columns, views, self.overlap)
        return cache.unpad()


@final
class GlobalAveragePool(Layer[GlobalPoolCache]):
    """y = mean over the whole image.

    Shape:
        x ``(H, C, W, N)`` -> y ``(1, C, 1, N)``.
    Reference:
        Lin, Chen & Yan 2014, arXiv:1312.4400.
    """

    kind = "pool"

    def __init__(self, index: int, in_shape: Shape):
        H, C, W = in_shape
        self.index, self.in_shape, self.out_shape, self.params = index, in_shape, (1, C, 1), {}
        self.share = 1 / (H * W)

    def cache(self, n: int, dtype: DTypeLike) -> GlobalPoolCache:
        return GlobalPoolCache(self.in_shape, n, dtype)

    def forward(self, x: Array, cache: GlobalPoolCache) -> Array:
        np.add.reduce(x, axis=0, out=cache.row)
        np.add.reduce(cache.row, axis=1, out=cache.y[0, :, 0])
        cache.y *= self.share
        return cache.y

    def backward(
        self, delta: Array, cache: GlobalPoolCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        if not want_delta:
            return None
        np.multiply(delta[0], self.share, out=cache.row)
        np.copyto(cache.delta_prev, cache.row)
        return cache.delta_prev

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        return graph.node("GlobalAveragePool", [x], f"{name}.pool")
