"""Fully connected layer, z = W a; the activation that follows adds the bias.

The backward pass, as in the article:

    delta_prev = W^T delta        dW = delta a^T
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.fault import Fault, mean_for_sum
from cnntrain.ops.matmul import best_height, best_width, is_packed, pieces, row_pieces
from cnntrain.ops.phases import memory_shape, phases
from cnntrain.ops.workspace import ViewsOf, Workspaces, workspace
from cnntrain.types import Array, Shape


class FcCache(Workspaces):
    """Memory for micro-batches of n samples."""

    x: Array
    """The input of the last forward pass, ``(features, n)``."""

    def __init__(self, units: int, in_shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.units, self.in_shape, self.features = units, in_shape, math.prod(in_shape)
        # Few samples are few columns: the products are faster in pieces of rows.
        forward, backward = best_height(units, self.features, n), best_height(self.features, units, n)
        self.factors = ViewsOf(lambda W: (row_pieces(W, forward), row_pieces(W.T, backward)))
        """W and W^T, in pieces."""
        self.heights = forward, backward
        self.copies_x = is_packed(units * n * self.features)
        self.of_dW = ViewsOf(self.dW_pieces)

    @workspace
    def z(self) -> Shape:
        """The output of ``forward``."""
        return self.units, self.n

    @partial(workspace, use="training")
    def x_T(self) -> Shape:
        """A copy of x^T, if it makes dW faster."""
        return (self.n, self.features) if self.copies_x else (0,)

    def dW_pieces(self, dW: Array) -> tuple[Array, Array]:
        """Return the copy of x^T and dW, in pieces of the width at which the product is fastest."""
        width = best_width(self.units, self.n, self.features)
        return pieces(self.x_T, width), pieces(dW, width)

    @cached_property
    def z_pieces(self) -> Array:
        """``z``, in pieces."""
        return row_pieces(self.z, self.heights[0])

    @cached_property
    def delta_pieces(self) -> Array:
        """``delta_prev``, in pieces."""
        return row_pieces(self.delta_prev, self.heights[1])

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        """The gradient with respect to the input, dJ/dx."""
        return self.features, self.n


@final
class Fc(Layer[FcCache]):
    """A fully connected (dense, linear) layer.

    An image is flattened: in files and for callers in C, H, W order, inside the network in the order of memory.

    Args:
        index: Index of the entry in ``network.layers``.
        in_shape: ``(H, C, W)`` or ``(features,)``.
        W: The initial weights, ``(units, features)``, as at the edges.

    Shape:
        x ``(H, C, W, N)`` or ``(features, N)`` -> z ``(units, N)``; W ``(units, features)``.
    """

    kind = "fc"
    faults: ClassVar[Mapping[str, Fault]] = {
        "mean_for_sum": Fault(
            "fc: dW is the mean over samples; where J is a mean, delta has the factor 1/N already", mean_for_sum
        )
    }

    def __init__(self, index: int, in_shape: Shape, W: Array):
        self.index, self.in_shape, self.out_shape = index, in_shape, (len(W),)
        self.params = {"W": self.from_edge("W", W)}

    def cache(self, n: int, dtype: DTypeLike) -> FcCache:
        return FcCache(self.out_shape[0], memory_shape(self.in_shape), n, dtype)

    def forward(self, x: Array, cache: FcCache) -> Array:
        cache.x = x.reshape(cache.features, cache.n)
        W, _ = cache.factors(self.params["W"])
        np.matmul(W, cache.x, out=cache.z_pieces)
        return cache.z

    def backward(self, delta: Array, cache: FcCache, grads: dict[str, Array], want_delta: bool = True) -> Array | None:
        if cache.copies_x:
            np.copyto(cache.x_T, cache.x.T)
            x_T, dW = cache.of_dW(grads["W"])
            np.matmul(delta, x_T, out=dW)
        else:
            np.matmul(delta, cache.x.T, out=grads["W"])
        if not want_delta:
            return None
        _, W_T = cache.factors(self.params["W"])
        np.matmul(W_T, delta, out=cache.delta_pieces)
        return cache.delta_prev.reshape(*cache.in_shape, cache.n)

    @property
    def multiply_adds(self) -> int:
        return math.prod(self.in_shape) * self.out_shape[0]

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        W = graph.constant(f"{name}.W", self.to_edge("W", self.params["W"]))
        if len(self.in_shape) == 3:
            x = graph.node("Flatten", [x], f"{name}.x", axis=1)
        return graph.node("Gemm", [x, W, *b], f"{name}.z", transB=1)

    def to_edge(self, name: str, value: Array) -> Array:
        if len(self.in_shape) == 1:
            return value
        (H, C, W), Q = self.in_shape, phases(self.in_shape[2])
        return value.reshape(-1, H, Q, C, W // Q).transpose(0, 3, 1, 4, 2).reshape(value.shape)

    def from_edge(self, name: str, value: Array) -> Array:
        if len(self.in_shape) == 1:
            return value
        (H, C, W), Q = self.in_shape, phases(self.in_shape[2])
        return value.reshape(-1, C, H, W // Q, Q).transpose(0, 2, 4, 1, 3).reshape(value.shape)
