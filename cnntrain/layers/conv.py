"""Convolution.

    z[oh, k, ow] = sum_{i, j, c} W[i, j, c, k] * x[S*oh + i - P, c, S*ow + j - P]

Going back, with * for convolution as in the article,

    delta_prev = delta * rot180(W)        dW = x * delta (not flipped)

Its bias is added by the activation that follows.
"""

from typing import final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer
from cnntrain.layers.initializers import initial_weights
from cnntrain.layers.options import ConvOptions
from cnntrain.ops import winograd
from cnntrain.ops.convolution import Convolution, DirectConvolution
from cnntrain.ops.geometry import Geometry
from cnntrain.ops.winograd import WinogradConvolution
from cnntrain.types import Array, Shape


@final
class Conv(Layer[Convolution]):
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

    def cache(self, n: int, dtype: DTypeLike) -> Convolution:
        way = WinogradConvolution if winograd.pays(self.geometry) else DirectConvolution
        return way(self.geometry, n, dtype)

    def forward(self, x: Array, cache: Convolution) -> Array:
        return cache.forward(x, self.params["W"])

    def backward(
        self, delta: Array, cache: Convolution, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        return cache.backward(delta, self.params["W"], grads["W"], want_delta)

    def to_edge(self, name: str, value: Array) -> Array:
        return value.transpose(3, 2, 0, 1)

    def from_edge(self, name: str, value: Array) -> Array:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
