"""Conversion between arrays at the edges (callers and files, samples first) and inside (samples last)."""

import math

import numpy as np

from cnntrain.errors import DataError, ShapeError
from cnntrain.ops.phases import in_order, in_phases, memory_shape, phases
from cnntrain.types import Array, Labels, Shape


def edge_shape(shape: Shape) -> Shape:
    """``(H, C, W)`` -> ``(C, H, W)``; the shape of a vector is unchanged."""
    return (shape[1], shape[0], shape[2]) if len(shape) == 3 else shape


def to_edge(batch: Array, shape: Shape) -> Array:
    """Return a batch in the order of callers.

    Args:
        batch: Images in memory, ``(H Q, C, W / Q, N)``, or vectors ``(features, N)``.
        shape: Shape of a sample, ``(H, C, W)`` or ``(features,)``.

    Returns:
        Images ``(N, C, H, W)`` or vectors ``(N, features)``; a view of ``batch``, if the images have one phase.
    """
    return in_order(batch, phases(shape[2])).transpose(3, 1, 0, 2) if batch.ndim == 4 else batch.T


def from_edge(batch: Array) -> Array:
    """Return a batch in the order of memory: the inverse of ``to_edge``."""
    return in_phases(batch.transpose(2, 1, 3, 0), phases(batch.shape[3])) if batch.ndim == 4 else batch.T


def class_indices(shape: Shape) -> Labels:
    """Return the index of each class among the outputs: classes of an image count in C, H, W order."""
    indices = np.arange(math.prod(shape))
    if len(shape) == 1:
        return indices
    return to_edge(indices.reshape(*memory_shape(shape), 1), shape).ravel()


def checked_images(x: Array, in_shape: Shape) -> Array:
    """Return ``x`` as an array.

    Raises:
        ShapeError: The samples do not have the network's input shape, or there are none.
    """
    x = np.asarray(x)
    if x.ndim != len(in_shape) + 1 or x.shape[1:] != in_shape or len(x) == 0:
        expected = ", ".join(map(str, ("N", *in_shape)))
        raise ShapeError(f"the network takes arrays of shape ({expected}) with at least one sample, not {x.shape}")
    return x


def checked_labels(y: Labels, count: int, classes: int) -> Labels:
    """Return ``y`` as an array.

    Raises:
        DataError: There are not ``count`` labels, or one is not an integer or not a class.
    """
    y = np.asarray(y)
    if y.shape != (count,) or not np.issubdtype(y.dtype, np.integer):
        raise DataError(f"{count} images need ({count},) whole numbers as labels, not {y.dtype} of shape {y.shape}")
    if y.min() < 0 or y.max() >= classes:
        raise DataError(f"labels must lie in 0..{classes - 1}, but they reach from {y.min()} to {y.max()}")
    return y
