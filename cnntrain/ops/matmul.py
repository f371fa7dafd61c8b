"""Matrix products in pieces of the width at which the BLAS at hand is fastest."""

from functools import cache

import numpy as np
from threadpoolctl import threadpool_info

from cnntrain.types import Array

SMALL_PRODUCT = 1_000_000
"""Rows x depth x columns up to which OpenBLAS's AVX-512 kernels work without packing the matrices first."""
WIDTHS = (32, 48, 64, 40, 24)
"""Columns of the pieces that such a product is cut into, the best first."""


@cache
def kernels() -> str | None:
    """Which of OpenBLAS's kernels NumPy's products run on, such as ``Haswell``; None for another BLAS."""
    found = [library for library in threadpool_info() if library.get("internal_api") == "openblas"]
    # Several where SciPy, say, has brought its own; workers have NumPy's alone, and must decide as this process does.
    ours = next((library for library in found if "numpy" in library["filepath"]), found[0] if found else None)
    return None if ours is None else ours["architecture"]


def has_small_kernels() -> bool:
    """Whether products up to ``SMALL_PRODUCT`` run on kernels of their own: OpenBLAS on AVX-512."""
    return kernels() == "SkylakeX"


def best_width(rows: int, depth: int, columns: int) -> int:
    """Return the columns of the pieces into which ``(rows, depth) @ (depth, columns)`` is best cut.

    A matrix with few rows does not repay being packed. Measured on Zen 5, 32 x 288 times 288 x 512: 140 GFLOP/s at
    once, 230 in pieces of 32 columns.
    """
    if has_small_kernels():
        for width in WIDTHS:
            if columns % width == 0 and rows * depth * width <= SMALL_PRODUCT:
                return width
    return columns


def pieces(matrices: Array, width: int) -> Array:
    """View ``(..., rows, columns)`` as ``(..., columns / width, rows, width)``."""
    return matrices.reshape(*matrices.shape[:-1], -1, width).swapaxes(-2, -3)


def strided(base: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """View a contiguous array with other strides: what NumPy's ``as_strided`` does, in a tenth of its time."""
    return np.ndarray(shape, base.dtype, base, 0, strides)
