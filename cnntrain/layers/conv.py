"""Convolution.

    z[oh, k, ow] = sum_{i, j, c} W[i, j, c, k] * x[S*oh + i - P, c, S*ow + j - P]

Going back, with * for convolution as in the article,

    delta_prev = delta * rot180(W)        dW = x * delta (not flipped)

Its bias is added by the activation that follows.
"""

from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer
from cnntrain.layers.initializers import initial_weights
from cnntrain.layers.options import ConvOptions
from cnntrain.ops import convolution
from cnntrain.ops.convolution import Geometry
from cnntrain.types import Array, Shape


class ConvCache:
    """Memory for slices of n samples; what only the way back needs is allocated by the first way back."""

    def __init__(self, geometry: Geometry, n: int, dtype: DTypeLike):
        g = self.geometry = geometry
        self.n = n
        self.x1 = np.zeros((g.H + 2 * g.P, g.F, g.C, g.OW, n), dtype)
        self.blocks = convolution.row_blocks(self.x1, g)
        self.z = np.empty((g.OH, g.K, g.OW, n), dtype)
        self.z_rows = self.z.reshape(g.OH, g.K, g.OW * n)

    @cached_property
    def products(self) -> Array:
        """One product an output row, to be summed to dW."""
        g = self.geometry
        return np.empty((g.OH, g.F * g.F * g.C, g.K), self.z.dtype)

    @cached_property
    def spread(self) -> Array:
        """Shares of delta_prev before they are moved to their columns."""
        g = self.geometry
        return np.zeros((g.H, g.F, g.C, g.OW, self.n), self.z.dtype)

    @cached_property
    def delta_prev(self) -> Array:
        """DJ/d input."""
        g = self.geometry
        return np.empty((g.H, g.C, g.W, self.n), self.z.dtype)


@final
class Conv(Layer[ConvCache]):
    """K learned F x F kernels, slid over an image with stride S and zero padding P.

    Shape:
        x ``(H, C, W, N)`` -> z ``(OH, K, OW, N)``, OH = (H + 2P - F) // S + 1; W ``(F, F, C, K)``, at the edges
        ``(K, C, F, F)``.
    Reference:
        Cho & Brand 2017, arXiv:1706.06873.
    """

    kind = "conv"

    def __init__(self, index: int, options: ConvOptions, in_shape: Shape, rng: np.random.Generator):
        H, C, W = in_shape
        self.geometry = Geometry(H, C, W, options.K, options.F, options.P, options.S)
        self.index, self.in_shape = index, in_shape
        self.out_shape = (self.geometry.OH, options.K, self.geometry.OW)
        drawn = initial_weights(options.init, options.activation, (options.K, C, options.F, options.F), rng)
        self.params = {"W": self.from_edge("W", drawn)}

    def cache(self, n: int, dtype: DTypeLike) -> ConvCache:
        return ConvCache(self.geometry, n, dtype)

    def forward(self, x: Array, cache: ConvCache) -> Array:
        convolution.lower(x, cache.x1, self.geometry)
        convolution.convolve(cache.blocks, self.params["W"], cache.z_rows)
        return cache.z

    def backward(
        self, delta: Array, cache: ConvCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        rows = delta.reshape(cache.z_rows.shape)
        convolution.kernel_gradient(cache.blocks, rows, cache.products, grads["W"])
        if not want_delta:
            return None
        convolution.delta_through(rows, self.params["W"], cache.spread, cache.delta_prev, self.geometry)
        return cache.delta_prev

    def to_edge(self, name: str, value: Array) -> Array:
        return value.transpose(3, 2, 0, 1)

    def from_edge(self, name: str, value: Array) -> Array:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
