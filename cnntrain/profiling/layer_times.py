"""The forward and backward time of each layer on one core, its operations and bytes, and the peak rate of that core."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.data import Data
from cnntrain.layers.base import Layer
from cnntrain.layers.row import walk
from cnntrain.network.network import Network
from cnntrain.parallel import single_core
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
    in the first layer that is trained, one for delta_prev. Frozen layers have no backward pass.

    Returns:
        ``(layers, 2)``: forward and backward, in the order of ``walk``. Those of a residual block itself are 0.
    """
    no_delta = set(first_layers(network.layers[network.frozen :]))
    frozen = {layer for _, layer in walk(network.layers[: network.frozen])}
    counts = []
    for _, layer in walk(network.layers):
        product = 0.0 if layer.branches else 2.0 * layer.multiply_adds * batch_size
        counts.append((product, 0.0 if layer in frozen else product if layer in no_delta else 2 * product))
    return np.array(counts)


def bytes_moved(network: Network, batch_size: int) -> Array:
    """Return the bytes that the layers must move for a batch: each array of a pass is read or written once.

    These are x, y and the parameters in the forward pass; delta, x, the parameters, their gradients and, except in the
    first layer, delta_prev in the backward pass. Parameters are read for each micro-batch. A residual block itself
    reads F(x) and x and writes y, and it copies delta and adds two deltas.

    Returns:
        ``(layers, 2)``: forward and backward, in the order of ``walk``.
    """
    micro_batches = len(network.micro_batches(batch_size))
    no_delta = set(first_layers(network.layers[network.frozen :]))
    frozen = {layer for _, layer in walk(network.layers[: network.frozen])}
    counts = []
    for _, layer in walk(network.layers):
        x, y = (math.prod(shape) * batch_size for shape in (layer.in_shape, layer.out_shape))
        delta_prev = 0 if layer in no_delta else x
        if layer.branches:
            forward, backward = 3 * y, 2 * y + 3 * delta_prev
        else:
            parameters = sum(parameter.size for parameter in layer.params.values()) * micro_batches
            forward, backward = x + y + parameters, y + x + 2 * parameters + delta_prev
        counts.append((forward, 0 if layer in frozen else backward))
    return np.array(counts, float) * network.dtype.itemsize


def first_layers(layers: Sequence[Layer[Any]]) -> Iterator[Layer[Any]]:
    """Yield the layers that take the images: the first one, and if it is a residual block, the first ones inside."""
    for layer in layers[:1]:
        yield layer
        for inside in layer.branches.values():
            yield from first_layers(inside)


def time_layers(network: Network, data: Data, batch_size: int, timer: Timer) -> Array:
    """Time every layer in forward and backward passes over batches, per micro-batch as in training.

    Args:
        network: Network; it does not change.
        data: Data such as ``random_data``.
        batch_size: Samples per batch.
        timer: Timer to fill with the durations of whole batches.

    Returns:
        Seconds per batch, ``(layers, 2)``, forward and backward, in the order of ``walk``: medians over the batches.
    """
    grads = network.layout.views(np.empty(network.layout.size, network.dtype))
    micro_batches = network.micro_batches(batch_size)
    batches = []
    with single_core():
        while not timer.enough:
            seconds = np.zeros((len(micro_batches), len(list(walk(network.layers))), 2))
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
    positions = {layer: position for position, (_, layer) in enumerate(walk(network.layers))}
    workspace = network.workspace(len(indices))
    data.preprocessing.columns(data.train.gather(indices), workspace.x)
    began = 0.0

    def lap(direction: int, layer: Layer[Any]) -> None:
        nonlocal began
        seconds[positions[layer], direction] = time.perf_counter() - began
        began = time.perf_counter()

    began = time.perf_counter()
    y = network.forward_micro_batch(workspace, lambda layer, _: lap(FORWARD, layer))
    _, delta = network.loss(y.reshape(-1, workspace.n), data.train.labels[indices])
    stop, delta = network.training_stop, delta.reshape(y.shape)
    began = time.perf_counter()
    network.row.backward(
        delta, workspace.caches, grads, network.frozen, stop, False, lambda layer, _: lap(BACKWARD, layer)
    )


def by_entry(network: Network, values: Array) -> dict[str, Array]:
    """Add up the values of the layers of each entry: a conv is a convolution and an activation.

    Bias and activation of a convolution count for the convolution, wherever they are applied. A residual block has the
    sum of all that is inside.

    Args:
        network: The network.
        values: ``(layers, ...)``, in the order of ``walk``.

    Returns:
        The sums by name of the entry: ``layers.2``, and inside a block ``layers.2.0``.
    """
    sums: dict[str, Array] = {}
    for (name, _), of_layer in zip(walk(network.layers), values, strict=True):
        steps = name.split(".")
        for depth in range(2, len(steps) + 1):
            entry = ".".join(steps[:depth])
            sums[entry] = sums.get(entry, 0) + of_layer
    return sums


def peak_rate(dtype: DTypeLike, seconds: float = 0.2) -> Peak:
    """Return the peak rate of one core: that of the fastest product of two square matrices.

    Args:
        dtype: Dtype of the matrices.
        seconds: Duration of the products of each of the ``SIDES``.
    """
    rng = np.random.default_rng(0)
    peaks = []
    with single_core():
        for side in SIDES:
            A, B = (rng.random((side, side)).astype(dtype) for _ in range(2))
            C, timer = np.empty_like(A), Timer(seconds=seconds, warm_up=1, min_count=2)
            while not timer.enough:
                began = time.perf_counter()
                np.matmul(A, B, out=C)
                timer.add(time.perf_counter() - began)
            peaks.append(Peak(2 * side**3 / min(timer.durations), side))
    return max(peaks)
