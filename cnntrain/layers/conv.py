"""Convolution (a cross-correlation, as in every deep learning library).

    z[oh, k, ow] = sum_{i, j, c} W[i, j, c, k] * x[S*oh + i - P, c, S*ow + j - P]

In the backward pass, with the article's * for convolution,

    delta_prev = delta * rot180(W)        dW = x * delta (not flipped)

The activation that follows adds the bias.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnnxGraph, unread_sides
from cnntrain.layers.fault import Fault, backward_with_stride_1, mean_for_sum
from cnntrain.ops import winograd, winograd_2d
from cnntrain.ops.convolution import Convolution, DirectConvolution
from cnntrain.ops.geometry import Geometry
from cnntrain.ops.winograd import WinogradConvolution
from cnntrain.ops.winograd_2d import Winograd2D
from cnntrain.types import Array, Shape


def _no_flip(
    layer: "Conv",
    x: Array,
    delta: Array,
    cache: Convolution,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    rotated = np.ascontiguousarray(layer.params["W"][::-1, ::-1])
    other = layer.cache(delta.shape[-1], delta.dtype)
    other.forward(x.copy(), rotated)  # Winograd's backward pass uses the kernel that its forward pass has transformed
    delta_prev = other.backward(delta.copy(), rotated, np.empty_like(grads["W"]), want_delta)
    layer.backward(delta, cache, grads, want_delta)
    return delta_prev


def _flip_dW(
    layer: "Conv",
    x: Array,
    delta: Array,
    cache: Convolution,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    delta_prev = layer.backward(delta, cache, grads, want_delta)
    grads["W"][...] = grads["W"][::-1, ::-1].copy()
    return delta_prev


def _lost_stride(
    layer: "Conv",
    x: Array,
    delta: Array,
    cache: Convolution,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    g = layer.geometry
    shape = (g.OH + g.F - 1 - 2 * g.P, g.C, g.OW + g.F - 1 - 2 * g.P)
    single = Conv(layer.index, shape, layer.to_edge("W", layer.params["W"]), g.P)
    delta_prev = backward_with_stride_1(single, layer, x, delta.copy(), {"W": np.empty_like(grads["W"])})
    layer.backward(delta, cache, grads, want_delta)
    return delta_prev


def _loses_stride(layer: "Conv") -> bool:
    g = layer.geometry
    return g.S > 1 and max(g.OH, g.OW) > 1 and min(g.OH, g.OW) + g.F - 1 > 2 * g.P


@final
class Conv(Layer[Convolution]):
    """Convolution with K filters of F x F pixels, stride S and zero padding P.

    Args:
        index: Index of the entry in ``network.layers``.
        in_shape: ``(H, C, W)``.
        W: The initial kernels, ``(K, C, F, F)``.
        P: Rows and columns of zeros around the image.
        S: Stride, in pixels.

    Shape:
        x ``(H, C, W, N)`` -> z ``(OH, K, OW, N)``, OH = (H + 2P - F) // S + 1, both with their columns by phase; W
        ``(F, F, C, K)``, at the edges ``(K, C, F, F)``.
    Reference:
        Cho & Brand 2017, arXiv:1706.06873.
    """

    kind = "conv"
    is_constant = False
    """Whether W cannot change: a layer for evaluation."""
    kernels: Array | None = None
    """W as the algorithm takes it, if it cannot change; made by the first micro-batch."""
    faults: ClassVar[Mapping[str, Fault]] = {
        "no_flip": Fault(
            "conv with F > 1: delta is multiplied by W as it is; backward, it needs rot180(W)",
            _no_flip,
            lambda layer: layer.geometry.F > 1,
        ),
        "flip_dW": Fault(
            "conv with F > 1: dW comes out rotated by 180 degrees; it is a cross-correlation of a and delta",
            _flip_dW,
            lambda layer: layer.geometry.F > 1,
        ),
        "mean_for_sum": Fault(
            "conv: dW is the mean over pixels and samples; J depends on W through each of them, so they add up",
            mean_for_sum,
        ),
        "lost_stride": Fault(
            "conv with S > 1: delta goes back as if S were 1; S - 1 zeros belong between its entries",
            _lost_stride,
            _loses_stride,
        ),
    }

    def __init__(self, index: int, in_shape: Shape, W: Array, P: int = 0, S: int = 1):
        K, C, F, _ = W.shape
        self.geometry = Geometry(in_shape[0], C, in_shape[2], K, F, P, S)
        self.index, self.in_shape = index, in_shape
        self.out_shape = (self.geometry.OH, K, self.geometry.OW)
        self.params = {"W": self.from_edge("W", W)}

    def cache(self, n: int, dtype: DTypeLike) -> Convolution:
        algorithm: type[Convolution] = DirectConvolution
        if winograd.pays(self.geometry):
            algorithm = Winograd2D if winograd_2d.pays(self.geometry) else WinogradConvolution
        return algorithm(self.geometry, n, dtype)

    def forward(self, x: Array, cache: Convolution) -> Array:
        return cache.forward(x, self.params["W"])

    def infer(self, x: Array, cache: Convolution) -> Array:
        if not self.is_constant:
            return cache.infer(x, self.params["W"])
        if self.kernels is None:
            self.kernels = cache.transformed(self.params["W"])
        return cache.infer_transformed(x, self.kernels)

    def for_evaluation(self, scale: Array | None = None) -> "Conv":
        """Return a layer for evaluation while W does not change.

        Args:
            scale: Factors of the filters, ``(K,)``.
        """
        layer = copy.copy(self)
        layer.is_constant = True
        if scale is not None:
            layer.params = {"W": self.params["W"] * scale}
        return layer

    def evaluation_bytes(self, dtype: DTypeLike) -> int:
        """Return the maximum bytes of memory that ``for_evaluation`` takes."""
        return self.params["W"].size * np.dtype(dtype).itemsize + self.cache(1, dtype).transformed_bytes

    def backward(
        self, delta: Array, cache: Convolution, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        return cache.backward(delta, self.params["W"], grads["W"], want_delta)

    @property
    def multiply_adds(self) -> int:
        g = self.geometry
        return g.OH * g.OW * g.K * g.F * g.F * g.C

    @property
    def unread(self) -> list[str]:
        g = self.geometry
        return unread_sides(self.in_shape, (g.F, g.F), g.S, g.P)

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        W, g = graph.constant(f"{name}.W", self.to_edge("W", self.params["W"])), self.geometry
        sides = {"kernel_shape": [g.F] * 2, "pads": [g.P] * 4, "strides": [g.S] * 2}
        return graph.node("Conv", [x, W, *b], f"{name}.z", **sides)

    def to_edge(self, name: str, value: Array) -> Array:
        return value.transpose(3, 2, 0, 1)

    def from_edge(self, name: str, value: Array) -> Array:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
