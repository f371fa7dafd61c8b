"""The forward and backward time of each layer on one core, its operations and bytes, and the peak rate of that core."""

import math
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.data import Data
from cnntrain.layers.base import Layer
from cnntrain.network.network import Network
from cnntrain.parallel import one_blas_thread
from cnntrain.profiling.timer import Timer
from cnntrain.types import Array, Labels

FORWARD, BACKWARD = 0, 1

SIDES = (256, 512, 1024, 2048)
"""Sizes of the square matrices whose products give the peak rate: the fastest counts."""


class Peak(NamedTuple):
    """The peak rate of one core: the fastest product of two square matrices."""

    rate: float
    """Floating-point operations per second."""
    side: int
    """Size of the matrices."""


def operations(network: Network, batch_size: int) -> Array:
    """Return the floating-point operations of a batch by definition of the layers, however they are computed.

    A multiply-add counts as two. The forward pass has one product with W; the backward pass has one for dW and, except
    in the first layer, one for delta_prev.

    Returns:
        ``(layers of the network, 2)``: forward and backward.
    """
    products = np.array([[2.0 * layer.multiply_adds * batch_size] for layer in network.layers])
    counts = products * (1, 2)
    counts[0, BACKWARD] = products[0, 0]
    return counts


def bytes_moved(network: Network, batch_size: int) -> Array:
    """Return the bytes that the layers must move for a batch: each array of a pass is read or written once.

    These are x, y and the parameters in the forward pass; delta, x, the parameters, their gradients and, except in the
    first layer, delta_prev in the backward pass. Parameters are read for each micro-batch.

    Returns:
        ``(layers of the network, 2)``: forward and backward.
    """
    micro_batches = len(list(network.micro_batches(batch_size)))
    counts = np.empty((len(network.layers), 2))
    for layer, values in zip(network.layers, counts, strict=True):
        x, y = (math.prod(shape) * batch_size for shape in (layer.in_shape, layer.out_shape))
        parameters = sum(parameter.size for parameter in layer.params.values()) * micro_batches
        delta_prev = 0 if layer is network.layers[0] else x
        values[:] = x + y + parameters, y + x + 2 * parameters + delta_prev
    return counts * network.dtype.itemsize


def time_layers(network: Network, data: Data, batch_size: int, timer: Timer) -> Array:
    """Time every layer in forward and backward passes over batches, per micro-batch as in training.

    Args:
        network: Network; it does not change.
        data: Data such as ``random_data``.
        batch_size: Samples per batch.
        timer: Timer to fill with the durations of whole batches.

    Returns:
        Seconds per batch, ``(layers of the network, 2)``, forward and backward: medians over the batches.
    """
    grads = network.layout.views(np.empty_like(network.theta))
    micro_batches = network.micro_batches(batch_size)
    batches = []
    with one_blas_thread():
        while not timer.enough:
            seconds = np.zeros((len(micro_batches), len(network.layers), 2))
            for part, of_micro_batch in zip(micro_batches, seconds, strict=True):
                time_micro_batch(network, data, np.arange(part.start, part.stop), grads, of_micro_batch)
            if timer.add(float(seconds.sum())):
                batches.append(seconds)
    medians: Array = np.median(batches, axis=0).sum(axis=0)
    return medians


def time_micro_batch(
    network: Network, data: Data, indices: Labels, grads: list[dict[str, Array]], seconds: Array
) -> None:
    """Write the time of each layer on the samples at ``indices``."""
    positions = {id(layer): position for position, layer in enumerate(network.layers)}
    workspace = network.workspace(len(indices))
    data.preprocessing.columns(data.train.gather(indices), workspace.x)
    began = 0.0

    def lap(direction: int, layer: Layer[Any]) -> None:
        nonlocal began
        seconds[positions[id(layer)], direction] = time.perf_counter() - began
        began = time.perf_counter()

    began = time.perf_counter()
    y = network.forward_micro_batch(workspace, lambda layer, _: lap(FORWARD, layer))
    _, delta = network.loss(y.reshape(-1, workspace.n), data.train.labels[indices])
    stop, delta = network.training_stop, delta.reshape(y.shape)
    began = time.perf_counter()
    network.row.backward(delta, workspace.caches, grads, stop, False, lambda layer, _: lap(BACKWARD, layer))


def by_entry(network: Network, values: Array) -> Array:
    """Add up the values of the layers of each entry of ``network.layers``: a conv is a convolution and an activation.

    Bias and activation of a convolution count for the convolution, wherever they are applied.

    Args:
        network: The network.
        values: ``(layers of the network, ...)``.
    """
    sums = np.zeros((1 + max(layer.index for layer in network.layers), *values.shape[1:]))
    np.add.at(sums, [layer.index for layer in network.layers], values)
    return sums


def peak_rate(dtype: DTypeLike, seconds: float = 0.2) -> Peak:
    """Return the peak rate of one core: that of the fastest product of two square matrices.

    Args:
        dtype: Dtype of the matrices.
        seconds: Duration of the products of each of the ``SIDES``.
    """
    rng = np.random.default_rng(0)
    peaks = []
    with one_blas_thread():
        for side in SIDES:
            A, B = (rng.random((side, side)).astype(dtype) for _ in range(2))
            C, timer = np.empty_like(A), Timer(seconds=seconds, warm_up=1, min_count=2)
            while not timer.enough:
                began = time.perf_counter()
                np.matmul(A, B, out=C)
                timer.add(time.perf_counter() - began)
            peaks.append(Peak(2 * side**3 / min(timer.durations), side))
    return max(peaks)
