"""Softmax: a_k = e^z_k / sum_j e^z_j, the output layer's activation.

The backward pass is delta_prev = J^T delta with the Jacobian J = diag(a) - a a^T. Training with cross entropy skips
this layer: the delta of the loss at z is a - y.
"""

from collections.abc import Sequence
from typing import final

from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.ops.losses import softmax, softmax_backward
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape


class SoftmaxCache(Workspaces):
    """Memory for micro-batches of n samples."""

    def __init__(self, units: int, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.units = units

    @workspace
    def a(self) -> Shape:
        """The output of ``forward``."""
        return self.units, self.n


@final
class Softmax(Layer[SoftmaxCache]):
    """Converts logits to probabilities.

    Shape:
        z ``(units, N)`` -> a ``(units, N)``.
    """

    kind = "fc"
    keeps_output = True

    def __init__(self, index: int, in_shape: Shape):
        self.index, self.params = index, {}
        self.in_shape = self.out_shape = in_shape

    def cache(self, n: int, dtype: DTypeLike) -> SoftmaxCache:
        return SoftmaxCache(self.in_shape[0], n, dtype)

    def forward(self, x: Array, cache: SoftmaxCache) -> Array:
        softmax(x, cache.a)
        return cache.a

    def backward(
        self, delta: Array, cache: SoftmaxCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        return softmax_backward(delta, cache.a)

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        return graph.node("Softmax", [x], f"{name}.softmax", axis=1)
