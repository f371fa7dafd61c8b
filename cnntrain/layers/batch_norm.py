"""Batch normalization: mean 0 and standard deviation 1 for each channel or unit, then a scale gamma and a bias b.

In training, mean and variance are those of the micro-batch (ghost batch normalization), over its pixels and samples.
With m values in a channel,

    x_hat = (x - mean) / sqrt(var + eps),  var = sum (x - mean)² / m,  z = gamma x_hat

In evaluation mode they are the running statistics of training. In the backward pass, mean and variance depend on every
value, too:

    delta_prev = gamma / sqrt(var + eps) (delta - sum(delta) / m - x_hat sum(delta ⊙ x_hat) / m)
    dgamma = sum(delta ⊙ x_hat)

The bias and activation that follow add b.

References: Ioffe & Szegedy 2015, arXiv:1502.03167; Hoffer, Hubara & Soudry 2017, arXiv:1705.08741.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, final

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.fault import Fault, mean_for_sum
from cnntrain.ops.phases import memory_shape
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape


class BatchNormCache(Workspaces):
    """Memory for micro-batches of n samples, as (rows, channels, values): a vector is one row."""

    centered: Array
    """The last input minus its mean."""

    def __init__(self, shape: Shape, overwrites: bool, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        H, C, W = shape if len(shape) == 3 else (1, *shape, 1)
        self.of_sample, self.shape, self.m = shape, (H, C, W * n), H * W * n
        self.overwrites = overwrites
        self.ones = np.ones(W * n, dtype)
        self.sums, self.products = (np.empty((H, C), dtype) for _ in range(2))
        self.mean, self.var, self.scale = (np.zeros(C, dtype) for _ in range(3))

    @workspace
    def y(self) -> Shape:
        """The output of ``forward``."""
        return (*self.of_sample, self.n)

    @partial(workspace, use="training")
    def spare(self) -> Shape:
        """The memory of x - mean, unless it overwrites x."""
        return (0,) if self.overwrites else self.shape

    @workspace
    def row(self) -> Shape:
        """Numbers of the channels, repeated for each value of a row."""
        return self.shape[1:]

    def repeated(self, of_channels: Array) -> Array:
        """Return ``row`` with the numbers of the channels, ``(C,)``; valid until the next call.

        NumPy broadcasts a few long rows twice as fast as many numbers.
        """
        np.copyto(self.row, of_channels[:, None])
        return self.row


def _no_mean(
    layer: "BatchNorm",
    x: Array,
    delta: Array,
    cache: BatchNormCache,
    grads: dict[str, Array],
    want_delta: bool,
) -> Array | None:
    layer.backward(delta.copy(), cache, grads, want_delta)
    return delta * (cache.scale[:, None, None] if delta.ndim == 4 else cache.scale[:, None])


@final
class BatchNorm(Layer[BatchNormCache]):
    """z = gamma (x - mean) / sqrt(var + eps), with one gamma per channel or unit.

    Args:
        index: Index of the entry in ``network.layers``.
        in_shape: ``(H, C, W)`` or ``(units,)``.
        eps: The constant added to the variance.
        momentum: The share of the running statistics that a step keeps.
        overwrites: Whether x may be overwritten: the output of a convolution may, the output of an activation may not.

    Shape:
        x ``(H, C, W, N)`` or ``(units, N)`` -> z of the same shape; gamma ``(C,)`` or ``(units,)``.
    """

    kind = "batch_norm"
    faults: ClassVar[Mapping[str, Fault]] = {
        "mean_for_sum": Fault(
            "batch_norm: dgamma is the mean over pixels and samples; all of them are scaled by gamma, so they add up",
            mean_for_sum,
        ),
        "no_mean": Fault(
            "batch_norm: delta goes back as if mean and variance were constants; they depend on every value", _no_mean
        ),
    }
    buffers = ("running_mean", "running_var")
    is_folded = False
    """Whether the convolution before it does its work: in a row for evaluation."""

    def __init__(self, index: int, in_shape: Shape, eps: float = 1e-5, momentum: float = 0.9, overwrites: bool = False):
        self.index, self.eps, self.momentum = index, eps, momentum
        self.in_shape = self.out_shape = in_shape
        self.overwrites = overwrites
        C = in_shape[1] if len(in_shape) == 3 else in_shape[0]
        self.params = {"gamma": np.ones(C), "running_mean": np.zeros(C), "running_var": np.ones(C)}

    def cache(self, n: int, dtype: DTypeLike) -> BatchNormCache:
        return BatchNormCache(memory_shape(self.in_shape), self.overwrites, n, dtype)

    def forward(self, x: Array, cache: BatchNormCache) -> Array:
        x = x.reshape(cache.shape)
        cache.centered = x if self.overwrites else cache.spare
        np.matmul(x, cache.ones, out=cache.sums)
        np.divide(np.add.reduce(cache.sums, axis=0), cache.m, out=cache.mean)
        np.subtract(x, cache.repeated(cache.mean), out=cache.centered)
        np.vecdot(cache.centered, cache.centered, out=cache.products)
        np.divide(np.add.reduce(cache.products, axis=0), cache.m, out=cache.var)
        cache.scale = self.params["gamma"] / np.sqrt(cache.var + self.eps)
        np.multiply(cache.centered, cache.repeated(cache.scale), out=cache.y.reshape(cache.shape))
        return cache.y

    def infer(self, x: Array, cache: BatchNormCache) -> Array:
        if self.is_folded:
            return x
        y = x if self.overwrites else cache.y
        z = y.reshape(cache.shape)
        np.subtract(x.reshape(cache.shape), cache.repeated(self.params["running_mean"]), out=z)
        z *= cache.repeated(self.affine()[0])
        return y

    def affine(self) -> tuple[Array, Array]:
        """Return scale and shift of each channel: in evaluation mode, z = scale x + shift."""
        scale = self.params["gamma"] / np.sqrt(self.params["running_var"] + self.eps)
        return scale, -self.params["running_mean"] * scale

    def skipped(self) -> "BatchNorm":
        """Return a layer for evaluation that returns its input."""
        layer = copy.copy(self)
        layer.is_folded = True
        return layer

    def backward(
        self, delta: Array, cache: BatchNormCache, grads: dict[str, Array], want_delta: bool = True
    ) -> Array | None:
        matrices = delta.reshape(cache.shape)
        np.matmul(matrices, cache.ones, out=cache.sums)
        np.vecdot(cache.centered, matrices, out=cache.products)
        product, var = np.add.reduce(cache.products, axis=0), cache.var + self.eps
        np.divide(product, np.sqrt(var), out=grads["gamma"])
        self.write_statistics(cache, grads)
        if not want_delta:
            return None
        cache.centered *= cache.repeated(cache.scale * product / (cache.m * var))
        cache.centered += cache.repeated(cache.scale * np.add.reduce(cache.sums, axis=0) / cache.m)
        matrices *= cache.repeated(cache.scale)
        matrices -= cache.centered
        return matrices.reshape(delta.shape)

    @property
    def multiply_adds(self) -> int:
        return math.prod(self.in_shape)

    def intermediates(self, cache: BatchNormCache) -> dict[str, Array]:
        # The samples of a micro-batch share them.
        return {name: np.tile(value[:, None], cache.n) for name, value in (("mean", cache.mean), ("var", cache.var))}

    def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
        buffers = [graph.constant(f"{name}.{key}", self.params[key]) for key in self.buffers]
        inputs = [x, graph.constant(f"{name}.gamma", self.params["gamma"]), *b, *buffers]
        return graph.node("BatchNormalization", inputs, f"{name}.z", epsilon=self.eps)

    def write_statistics(self, cache: BatchNormCache, grads: dict[str, Array]) -> None:
        """Write the mean and variance of the micro-batch, times its number of samples, as gradients of the buffers.

        The variance is the unbiased estimate, sum (x - mean)² / (m - 1). With m = 1 there is none, and the running
        variance keeps its value.
        """
        np.multiply(cache.mean, cache.n, out=grads["running_mean"])
        if cache.m > 1:
            np.multiply(cache.var, cache.n * cache.m / (cache.m - 1), out=grads["running_var"])
        else:
            np.multiply(self.params["running_var"], cache.n, out=grads["running_var"])
