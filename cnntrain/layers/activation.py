"""Bias and activation, a = sigma(z + b): the second half of conv, fc and batch_norm.

The backward pass is delta_prev = delta ⊙ sigma'(z), and db is its sum over pixels and samples. Max pooling commutes
with adding b and with every monotone sigma, so the bias and activation of a convolution may run after the pool, on less
data.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.fault import Fault, mean_for_sum
from cnntrain.ops.activations import ACTIVATIONS, Identity
from cnntrain.ops.phases import memory_shape
from cnntrain.ops.workspace import Workspaces, aligned_empty, workspace
from cnntrain.types import Array, Shape

SMALL = 2**14
"""Maximum number of values of a micro-batch in a small image."""


class ActivationCache(Workspaces):
    """Memory for micro-batches of n samples."""

    a: Array
    """The output of the last forward pass."""

    def __init__(self, shape: Shape, n: int, dtype: DTypeLike, in_place: bool):
        super().__init__(n, dtype)
        self.shape, self.in_place = shape, in_place
        self.is_large = len(shape) == 3 and math.prod(shape) * n > SMALL
        self.zeros = aligned_empty((*(shape[1:] if self.is_large else shape), n), dtype)
        self.zeros.fill(0)
        self.ones = np.ones(math.prod(shape[2:]) * n, dtype)
        self.rows = (*shape[:2], len(self.ones))
        """Shape of an image as its rows for each filter, ``(H, K, W N)``."""
        self.sums = np.empty(shape[:2], dtype)
        """Sums of the rows."""

    @workspace
    def row(self) -> Shape:
        """b for each value of a row of a large image: NumPy adds a few long rows in half the time of many numbers."""
        return (*self.shape[1:], self.n) if self.is_large else (0,)

    @workspace
    def spare(self) -> Shape:
        """The memory of the output, if the activation does not work in place."""
        return (0,) if self.in_place else (*self.shape, self.n)


def _no_mask(
    layer: "Activation",
    x: Array,
    delta: Array,
    cache: ActivationCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    layer.backward(delta.copy(), cache, {"b": np.empty_like(grads["b"])}, want_delta)
    grads["b"][...] = delta.sum(axis=(0, 2, 3) if delta.ndim == 4 else 1)
    return delta


@final
class Activation(Layer[ActivationCache]):
    """a = sigma(z + b), with one b per filter or unit.

    Shape:
        z ``(H, K, W, N)`` or ``(units, N)`` -> a of the same shape; b ``(K,)`` or ``(units,)``.
    """

    faults: ClassVar[Mapping[str, Fault]] = {
        "no_mask": Fault(
            "conv, fc or batch_norm: delta goes back through the activation without sigma'(z)",
            _no_mask,
            lambda layer: not isinstance(layer.sigma, Identity),
        ),
        "mean_for_sum": Fault(
            "conv, fc or batch_norm: db is the mean of delta; b is added to every pixel and sample, so they add up",
            mean_for_sum,
        ),
    }

    def __init__(self, index: int, kind: str, sigma: str, in_shape: Shape):
        self.index, self.kind = index, kind
        self.in_shape = self.out_shape = in_shape
        self.sigma = ACTIVATIONS[sigma]
        self.is_image = len(in_shape) == 3
        self.params = {"b": np.zeros(in_shape[1] if self.is_image else in_shape[0])}
        self.as_column = (slice(None), None, None) if self.is_image else (slice(None), None)
        """Index that makes b ``(K, 1, 1)`` or ``(units, 1)``, as it is added to z."""

    def cache(self, n: int, dtype: DTypeLike) -> ActivationCache:
        return ActivationCache(memory_shape(self.in_shape), n, dtype, self.sigma.in_place)

    def forward(self, x: Array, cache: ActivationCache) -> Array:
        b = self.params["b"][self.as_column]
        if cache.is_large:
            np.copyto(cache.row, b)
            b = cache.row
        x += b
        cache.a = x if cache.in_place else cache.spare
        self.sigma.forward(x, cache.a, cache.zeros)
        return cache.a

    def shifted(self, shift: Array) -> "Activation":
        """Return a layer for evaluation with the bias b + ``shift``."""
        layer = copy.copy(self)
        layer.params = {"b": self.params["b"] + shift}
        return layer

    def backward(
        self, delta: Array, cache: ActivationCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        delta_z = self.sigma.backward(delta, cache.a, cache.zeros)
        if self.is_image:
            np.matmul(delta_z.reshape(cache.rows), cache.ones, cache.sums)
            np.add.reduce(cache.sums, out=grads["b"])
        else:
            np.matmul(delta_z, cache.ones, grads["b"])
        return delta_z

    @property
    def keeps_output(self) -> bool:
        return not isinstance(self.sigma, Identity)

    def pattern(self, cache: ActivationCache) -> Array | None:
        return cache.a.ravel() > 0 if self.sigma.kinked else None

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        if self.sigma.onnx_operator is None:
            return x
        return graph.node(self.sigma.onnx_operator, [x], f"{name}.a", **self.sigma.onnx_attributes)
