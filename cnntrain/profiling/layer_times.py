"""The forward and backward time of each layer on one core, and the peak rate of that core."""

import time
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.data import Data
from cnntrain.layers.base import Layer
from cnntrain.network.network import Network
from cnntrain.parallel import one_blas_thread
from cnntrain.profiling.timer import Timer
from cnntrain.types import Array, Labels

FORWARD, BACKWARD = 0, 1

SIDE = 2048
"""Size of the square matrices whose product gives the peak rate."""


def operations(network: Network, batch_size: int) -> Array:
    """Return the floating-point operations of a batch by definition of the layers, however they are computed.

    A multiply-add counts as two. The forward pass has one product with W; the backward pass has one for dW and, except
    in the first layer, one for delta_prev.

    Returns:
        ``(entries of network.layers, 2)``: forward and backward.
    """
    counts = np.zeros((entry_count(network), 2))
    for step, layer in enumerate(network.layers):
        product = 2 * layer.multiply_adds * batch_size
        counts[layer.index] += product, product * (2 if step else 1)
    return counts


def time_layers(network: Network, data: Data, batch_size: int, timer: Timer) -> Array:
    """Time every layer in forward and backward passes over batches, per micro-batch as in training.

    Bias and activation of a convolution count for the convolution, wherever they are applied.

    Args:
        network: Network; it does not change.
        data: Data such as ``random_data``.
        batch_size: Samples per batch.
        timer: Timer to fill with the durations of whole batches.

    Returns:
        Seconds per batch, ``(entries of network.layers, 2)``, forward and backward: medians over the batches.
    """
    grads = network.layout.views(np.empty_like(network.theta))
    micro_batches = network.micro_batches(batch_size)
    batches = []
    with one_blas_thread():
        while not timer.enough:
            seconds = np.zeros((len(micro_batches), entry_count(network), 2))
            for part, of_micro_batch in zip(micro_batches, seconds, strict=True):
                time_micro_batch(network, data, np.arange(part.start, part.stop), grads, of_micro_batch)
            if timer.add(float(seconds.sum())):
                batches.append(seconds)
    medians: Array = np.median(batches, axis=0).sum(axis=0)
    return medians


def time_micro_batch(
    network: Network, data: Data, indices: Labels, grads: list[dict[str, Array]], seconds: Array
) -> None:
    """Add the time of each layer on the samples at ``indices``."""
    workspace = network.workspace(len(indices))
    data.preprocessing.columns(data.train.gather(indices), workspace.x)
    began = 0.0

    def lap(direction: int, layer: Layer[Any]) -> None:
        nonlocal began
        seconds[layer.index, direction] += time.perf_counter() - began
        began = time.perf_counter()

    began = time.perf_counter()
    y = network.forward_micro_batch(workspace, lambda layer, _: lap(FORWARD, layer))
    _, delta = network.loss(y.reshape(-1, workspace.n), data.train.labels[indices])
    stop, delta = network.training_stop, delta.reshape(y.shape)
    began = time.perf_counter()
    network.row.backward(delta, workspace.caches, grads, stop, False, lambda layer, _: lap(BACKWARD, layer))


def entry_count(network: Network) -> int:
    """Return the number of entries of ``network.layers``."""
    return 1 + max(layer.index for layer in network.layers)


def peak_rate(dtype: DTypeLike, products: int = 8) -> float:
    """Return the peak rate of one core in floating-point operations per second: the product of two square matrices.

    Args:
        dtype: Dtype of the matrices, ``SIDE`` x ``SIDE``.
        products: Number of products; the fastest one counts.
    """
    rng = np.random.default_rng(0)
    A, B = (rng.random((SIDE, SIDE)).astype(dtype) for _ in range(2))
    C = np.empty_like(A)
    durations = []
    with one_blas_thread():
        for _ in range(products):
            began = time.perf_counter()
            np.matmul(A, B, out=C)
            durations.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(durations)
