"""Matrix products, cut into pieces of the size at which the installed BLAS is fastest."""

from functools import cache

import numpy as np
from threadpoolctl import threadpool_info

from cnntrain.types import Array

AVX512 = frozenset({"SkylakeX", "Cooperlake", "SapphireRapids"})
"""OpenBLAS's kernels for AVX-512. NumPy's wheels have the first of them, and ``Haswell`` for AVX2."""
SMALL_PRODUCT = 1_000_000
"""Maximum of rows x depth x columns for which OpenBLAS's AVX-512 kernels do not pack the matrices first."""
WIDTHS = (32, 48, 64, 40, 24)
"""Widths of pieces of columns, the best first."""
HEIGHTS = (128, 64, 32, 16, 8)
"""Heights of pieces of rows, the best first."""
MIN_DEPTH = 64
"""Minimum depth of a product with a transposed right factor that is cut."""
MAX_CUT = 64 * 64
"""Maximum number of values of its result."""
SQUARE = 32
"""Rows and columns of the pieces of a product with a transposed right factor."""


@cache
def kernels() -> str | None:
    """Return the OpenBLAS kernels that NumPy uses, such as ``Haswell``; None for another BLAS."""
    libraries = [library for library in threadpool_info() if library.get("internal_api") == "openblas"]
    # SciPy, for one, loads its own copy; workers load only NumPy's and must decide as this process does.
    ours = next((library for library in libraries if "numpy" in library["filepath"]), next(iter(libraries), None))
    return None if ours is None else ours["architecture"]


def has_small_kernels() -> bool:
    """Return whether small products run on special kernels: OpenBLAS on AVX-512."""
    return kernels() in AVX512


def best_width(rows: int, depth: int, columns: int) -> int:
    """Return the best width of pieces of the product ``(rows, depth) @ (depth, columns)``.

    Measured on Zen 5: 32 x 288 times 288 x 512 runs at 140 GFLOP/s at once, 230 in pieces of 32 columns.
    """
    return best_size(columns, rows * depth, WIDTHS)


def best_height(rows: int, depth: int, columns: int) -> int:
    """Return the best height of pieces of the product ``(rows, depth) @ (depth, columns)``, where columns are few.

    Measured on Zen 4: 128 x 1024 times 1024 x 32 runs at 90 GFLOP/s at once, 125 in pieces of 16 rows; 4096 x 256
    times 256 x 32 at 76, 113 in pieces of 64 rows.
    """
    return best_size(rows, depth * columns, HEIGHTS)


def best_size(side: int, others: int, sizes: tuple[int, ...]) -> int:
    """Return the first of ``sizes`` that divides a side and gives pieces that are not packed; else the whole side."""
    if is_packed(side * others):
        return next((size for size in sizes if side % size == 0 and size * others <= SMALL_PRODUCT), side)
    return side


def is_packed(multiply_adds: int) -> bool:
    """Return whether a product packs its matrices first, which does not pay off if one of its sides is short."""
    return has_small_kernels() and multiply_adds > SMALL_PRODUCT


def row_pieces(matrix: Array, height: int) -> Array:
    """View ``(rows, columns)`` as ``(rows / height, height, columns)``."""
    return matrix.reshape(-1, height, matrix.shape[-1])


def times_transposed(left: Array, right: Array, out: Array) -> tuple[Array, Array, Array]:
    """Return views of the factors and the result of ``np.matmul(left, right^T, out)``, in the best pieces.

    Measured on Zen 4: 36 products of 64 x 128 with 128 x 64 run at 71 GFLOP/s at once, 96 in pieces of 32 x 32.

    Args:
        left: ``(..., rows, depth)``.
        right: ``(..., columns, depth)``.
        out: ``(..., rows, columns)``.
    """
    *batch, rows, depth = left.shape
    columns = right.shape[-2]
    if not has_small_kernels() or rows % SQUARE or columns % SQUARE or depth < MIN_DEPTH or rows * columns > MAX_CUT:
        return left, right.swapaxes(-1, -2), out
    return (
        left.reshape(*batch, -1, 1, SQUARE, depth),
        right.reshape(*batch, 1, -1, SQUARE, depth).swapaxes(-1, -2),
        out.reshape(*batch, rows // SQUARE, SQUARE, columns // SQUARE, SQUARE).swapaxes(-2, -3),
    )


def pieces(matrices: Array, width: int) -> Array:
    """View ``(..., rows, columns)`` as ``(..., columns / width, rows, width)``."""
    return matrices.reshape(*matrices.shape[:-1], -1, width).swapaxes(-2, -3)


def strided(base: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """View a contiguous array with other strides: what NumPy's ``as_strided`` does, ten times faster."""
    return np.ndarray(shape, base.dtype, base, 0, strides)
