"""The order of an image's columns in memory: by phase, so that strided columns are neighbors.

The polyphase components of an image with Q phases are its columns q, q + Q, q + 2Q, ... for q = 0 .. Q - 1. Inside the
network, an image batch ``(H, C, W, N)`` is stored as ``(H, Q, C, W / Q, N)``, and its first two axes are merged: what
works on rows, channels and values sees Q times as many rows. Pooling with stride 2 and tiles of Winograd's algorithm
read every second or fourth column; with phases they read long runs of memory instead of one pixel's N samples.

Reference for the term: Vaidyanathan 1990, "Multirate digital filters, filter banks, polyphase networks, and
applications: a tutorial".
"""

from collections.abc import Iterator
from typing import NamedTuple

from cnntrain.types import Array, Shape

PHASES = {4: 12, 2: 18, 1: 1}
"""For each number of phases, the minimum number of columns: below, more calls cost more than short runs of memory."""


def phases(W: int) -> int:
    """Return Q for an image of W columns: 4, 2 or 1.

    Examples:
        >>> phases(28), phases(22), phases(14), phases(8)
        (4, 2, 1, 1)
    """
    return next(Q for Q, least in PHASES.items() if W % Q == 0 and least <= W)


def memory_shape(shape: Shape) -> Shape:
    """Return the shape of a sample in memory: ``(H Q, C, W / Q)`` for an image ``(H, C, W)``.

    Examples:
        >>> memory_shape((28, 6, 28)), memory_shape((10,))
        ((112, 6, 7), (10,))
    """
    if len(shape) != 3:
        return shape
    H, C, W = shape
    Q = phases(W)
    return H * Q, C, W // Q


def by_phase(batch: Array, Q: int) -> Array:
    """View a batch of images in memory, ``(H Q, C, W / Q, N)``, as ``(H, Q, C, W / Q, N)``."""
    rows, C, V, n = batch.shape
    return batch.reshape(rows // Q, Q, C, V, n)


def in_order(batch: Array, Q: int) -> Array:
    """Copy a batch of images from memory, ``(H Q, C, W / Q, N)``, as ``(H, C, W, N)``; with one phase, return it.

    Examples:
        >>> import numpy as np
        >>> x = np.arange(12).reshape(1, 1, 12, 1)
        >>> in_phases(x, 4)[:, 0, :, 0].tolist()
        [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
        >>> bool((in_order(in_phases(x, 4), 4) == x).all())
        True
    """
    if Q == 1:
        return batch
    rows, C, V, n = batch.shape
    return by_phase(batch, Q).transpose(0, 2, 3, 1, 4).reshape(rows // Q, C, V * Q, n)


def in_phases(batch: Array, Q: int) -> Array:
    """Copy a batch of images ``(H, C, W, N)`` into the order of memory; the inverse of ``in_order``."""
    if Q == 1:
        return batch
    H, C, W, n = batch.shape
    return split_by_phase(batch, Q).reshape(H * Q, C, W // Q, n)


def split_by_phase(batch: Array, Q: int) -> Array:
    """View a batch of images ``(H, C, W, N)`` as ``(H, Q, C, W / Q, N)``."""
    H, C, W, n = batch.shape
    return batch.reshape(H, C, W // Q, Q, n).transpose(0, 3, 1, 2, 4)


class Move(NamedTuple):
    """Columns of windows and the pixels they see, all in one phase each."""

    q: int
    """The phase of the windows."""
    windows: slice
    """The windows, as indices in their phase."""
    phase: int
    """The phase of the pixels."""
    pixels: slice
    """The pixels, as indices in their phase."""


def moves(windows: slice, pixels: slice, Q_windows: int, Q_pixels: int) -> Iterator[Move]:
    """Split windows o, o + 1, ... and their pixels w, w + S, ... by phase.

    Args:
        windows: Consecutive windows.
        pixels: Their pixels, as many.
        Q_windows: Number of phases of the windows.
        Q_pixels: Number of phases of the pixels.

    Examples:
        >>> for move in moves(slice(0, 4), slice(0, 7, 2), 2, 4):  # a pool with stride 2
        ...     print(move.q, move.windows, move.phase, move.pixels)
        0 slice(0, 2, 1) 0 slice(0, 2, 1)
        1 slice(0, 2, 1) 2 slice(0, 2, 1)
    """
    S, count = pixels.step or 1, windows.stop - windows.start
    period = Q_windows
    while S * period % Q_pixels:
        period += Q_windows
    for first in range(min(period, count)):
        o, w, length = windows.start + first, pixels.start + S * first, len(range(first, count, period))
        yield Move(
            o % Q_windows,
            _progression(o // Q_windows, period // Q_windows, length),
            w % Q_pixels,
            _progression(w // Q_pixels, S * period // Q_pixels, length),
        )


def _progression(start: int, step: int, length: int) -> slice:
    return slice(start, start + step * (length - 1) + 1, step)
