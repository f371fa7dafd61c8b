"""How long each layer takes, forward and backward, on one core; and how fast that core multiplies matrices."""

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
"""Rows and columns of the matrices whose product shows what a core can do."""


def operations(network: Network, batch_size: int) -> Array:
    """Floating-point operations of a batch by the definition of the layers, however they are computed.

    A multiplication and its addition are two. There is one product with W in the forward pass, and in the backward
    pass one for dW and one for delta_prev, which nobody wants of the first layer.

    Returns:
        (entries of ``network.layers``, 2), forward and backward.
    """
    counts = np.zeros((entries(network), 2))
    for step, layer in enumerate(network.layers):
        product = 2 * layer.multiply_adds * batch_size
        counts[layer.index] += product, product * (2 if step else 1)
    return counts


def time_layers(network: Network, data: Data, batch_size: int, timings: Timer) -> Array:
    """Time every layer while batch after batch goes forward and back, a slice at a time, as in training.

    A convolution's bias and activation count as the convolution's, wherever they are applied.

    Args:
        network: Left as it is.
        data: Of ``random_data``.
        batch_size: Samples of a batch.
        timings: Filled with the durations of whole batches until it has enough.

    Returns:
        (entries of ``network.layers``, 2) in seconds, forward and backward: of each slice the median over the batches.
    """
    grads = network.layout.views(np.empty_like(network.theta))
    micro_batches = list(network.micro_batches(batch_size))
    batches = []
    with one_blas_thread():
        while not timings.enough:
            seconds = np.zeros((len(micro_batches), entries(network), 2))
            for part, of_micro_batch in zip(micro_batches, seconds, strict=True):
                time_micro_batch(network, data, np.arange(part.start, part.stop), grads, of_micro_batch)
            if timings.add(float(seconds.sum())):
                batches.append(seconds)
    medians: Array = np.median(batches, axis=0).sum(axis=0)
    return medians


def time_micro_batch(
    network: Network, data: Data, indices: Labels, grads: list[dict[str, Array]], seconds: Array
) -> None:
    """Add what each layer takes for the samples at ``indices``."""
    memory = network.workspace(len(indices))
    data.preprocessing.columns(data.train.gather(indices), memory.x)
    began = 0.0

    def lap(way: int, layer: Layer[Any]) -> None:
        nonlocal began
        seconds[layer.index, way] += time.perf_counter() - began
        began = time.perf_counter()

    began = time.perf_counter()
    y = network.forward_micro_batch(memory, lambda layer, _: lap(FORWARD, layer))
    _, delta = network.loss(y.reshape(-1, memory.n), data.train.labels[indices])
    stop, delta = network.training_stop, delta.reshape(y.shape)
    began = time.perf_counter()
    network.row.backward(delta, memory.caches, grads, stop, False, lambda layer, _: lap(BACKWARD, layer))


def entries(network: Network) -> int:
    """Number of entries of ``network.layers``."""
    return 1 + max(layer.index for layer in network.layers)


def peak_rate(dtype: DTypeLike, products: int = 8) -> float:
    """Return the most floating-point operations a second that one core reaches in a product of two square matrices.

    Args:
        dtype: Of the matrices, ``SIDE`` x ``SIDE``.
        products: The fastest of so many counts: nothing makes a product faster than the core is, but much slows it.
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
