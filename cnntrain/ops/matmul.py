"""Matrix products, cut into pieces of the width at which the installed BLAS is fastest."""

from functools import cache

import numpy as np
from threadpoolctl import threadpool_info

from cnntrain.types import Array

SMALL_PRODUCT = 1_000_000
"""Maximum of rows x depth x columns for which OpenBLAS's AVX-512 kernels do not pack the matrices first."""
WIDTHS = (32, 48, 64, 40, 24)
"""Widths of the pieces, the best first."""


@cache
def kernels() -> str | None:
    """Return the OpenBLAS kernels that NumPy uses, such as ``Haswell``; None for another BLAS."""
    libraries = [library for library in threadpool_info() if library.get("internal_api") == "openblas"]
    # SciPy, for one, loads its own copy; workers load only NumPy's and must decide as this process does.
    ours = next((library for library in libraries if "numpy" in library["filepath"]), next(iter(libraries), None))
    return None if ours is None else ours["architecture"]


def has_small_kernels() -> bool:
    """Return whether small products run on special kernels: OpenBLAS on AVX-512."""
    return kernels() == "SkylakeX"


def best_width(rows: int, depth: int, columns: int) -> int:
    """Return the best width of pieces of the product ``(rows, depth) @ (depth, columns)``.

    With few rows, packing does not pay off. Measured on Zen 5, 32 x 288 times 288 x 512: 140 GFLOP/s at
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
    """View a contiguous array with other strides: what NumPy's ``as_strided`` does, ten times faster."""
    return np.ndarray(shape, base.dtype, base, 0, strides)
