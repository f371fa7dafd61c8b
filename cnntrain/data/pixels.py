"""Pixels as files store them -> uint8 0..255, or float32 0..1 where the file is finer than that."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.errors import DataError
from cnntrain.types import Array

Images = NDArray[np.uint8] | NDArray[np.float32]
"""(N, C, H, W): uint8, where 255 means 1, or float32 in 0..1. uint8 stays as it is until a batch is used, a quarter of
the memory."""


def brightest(dtype: np.dtype[Any]) -> int:
    """What stands for 1 in images that are kept in ``dtype``: 255 in uint8, 1 in float32."""
    return 255 if dtype.kind == "u" else 1


def is_deep(array: Array) -> bool:
    """Whether ``array`` is uint16 and needs it. All splits of a file must be scaled alike, so ask for each of them."""
    return array.dtype.kind == "u" and array.dtype.itemsize == 2 and int(array.max()) > 255


def to_pixels(array: Array, name: str, deep: bool = False) -> Images:
    """Check pixels and bring them into one of the two forms that are kept in memory.

    Args:
        array: Images (N, C, H, W) of any number type. Booleans become 0 and 255, whole numbers in 0..255 uint8, floats
            in 0..1 float32.
        name: What holds them, to begin a message with.
        deep: Divide uint16 by 65,535.

    Raises:
        DataError: A pixel is NaN or infinite, or lies outside the range of its kind.
    """
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind == "b":
        return array.astype(np.uint8, order="C") * np.uint8(255)
    if array.dtype.kind == "f":
        return _fractions(array, name)
    if deep and array.dtype.itemsize == 2 and array.dtype.kind == "u":
        return array.astype(np.float32, order="C") / np.float32(65535)
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest > 255:
        raise DataError(
            f"{name} holds pixels from {lowest} to {highest}; whole numbers must lie in 0..255, or in 0..65535 as "
            "uint16"
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def _fractions(array: Array, name: str) -> NDArray[np.float32]:
    lowest, highest = array.min(), array.max()  # NaN if any pixel is
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        first = int(np.flatnonzero(~np.isfinite(array).all(axis=(1, 2, 3)))[0])
        raise DataError(
            f"{name} holds a pixel that is not a number or infinite, first in image {first} (counted from 0)"
        )
    if lowest < 0 or highest > 1:
        raise DataError(
            f"{name} holds pixels from {lowest:.9g} to {highest:.9g}; floats must lie in 0..1: divide them, for "
            "instance by 255, or store whole numbers in 0..255 as uint8"
        )
    return np.ascontiguousarray(array, dtype=np.float32)
