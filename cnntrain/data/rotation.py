"""Rotation and enlargement of images about their centers, bilinear, with reflection beyond the edges."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.pixels import Images, cast_like
from cnntrain.types import Array


def rotate(pixels: Images, angles: Sequence[float], zooms: Sequence[float]) -> Images:
    """Rotate and enlarge each image about its center with bilinear interpolation.

    Args:
        pixels: ``(n, C, H, W)``.
        angles: Degrees, counterclockwise, one for each image.
        zooms: Factors by which the images are enlarged; below 1 they shrink, and reflections surround them.

    Shape:
        ``(n, C, H, W)``
    """
    n, C, H, W = pixels.shape
    radians = [math.radians(angle) for angle in angles]
    cos, sin, zoom = (
        np.reshape(values, (n, 1, 1)) for values in ([*map(math.cos, radians)], [*map(math.sin, radians)], zooms)
    )
    rows = (np.arange(H) - (H - 1) / 2)[:, None] / zoom
    columns = (np.arange(W) - (W - 1) / 2)[None, :] / zoom
    row, row_share = pixel_before(rows * cos + columns * sin, H)
    column, column_share = pixel_before(columns * cos - rows * sin, W)
    # One more row and column, so that every pixel has neighbors; at the edge, their share is 0.
    padded = np.zeros((n, C, H + 1, W + 1), np.float32)
    padded[:, :, :H, :W] = pixels
    row *= W + 1
    row += column
    planes = (H + 1) * (W + 1) * np.arange(n * C).reshape(n, C, 1)
    indices = planes + row.astype(np.intp).reshape(n, 1, H * W)
    flat = padded.reshape(-1)
    # No index wraps around: this mode is only the fastest.
    here, right, below, below_right = (flat[offset:].take(indices, mode="wrap") for offset in (0, 1, W + 1, W + 2))
    interpolate(here, right, column_share)
    interpolate(below, below_right, column_share)
    interpolate(right, below_right, row_share)
    return cast_like(pixels, below_right).reshape(pixels.shape)


def pixel_before(positions: Array, size: int) -> tuple[Array, NDArray[np.float32]]:
    """Return the pixel before each position and the distance from it, 0..1; positions beyond the edges are reflected.

    Args:
        positions: Rows or columns from the center of each image on, float64, ``(n, H, W)``; overwritten.
        size: Number of rows or columns of an image.

    Shape:
        -> float64 ``(n, H, W)``, ``(n, 1, H * W)``
    """
    positions += (size - 1) / 2
    np.abs(positions, out=positions)
    period = max(1, 2 * (size - 1))
    if positions.max() >= period:
        positions %= period
    if size > 1:
        np.minimum(positions, period - positions, out=positions)
    else:
        positions[...] = 0
    before = np.floor(positions)
    positions -= before
    return before, positions.astype(np.float32).reshape(len(positions), 1, -1)


def interpolate(a: Array, b: Array, share: Array) -> None:
    """Write ``a + share (b - a)`` into ``b``."""
    b -= a
    b *= share
    b += a
