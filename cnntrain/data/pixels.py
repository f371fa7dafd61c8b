"""Converts pixel arrays to uint8 in 0..255, or to float32 in 0..1 if uint8 cannot represent them.

The ``Scale`` is a property of the training images: it is measured once, saved with the weights, and used for every
later image. The same image therefore always gives the same pixels, whatever images it comes with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.errors import DataError
from cnntrain.types import Array

Images = NDArray[np.uint8] | NDArray[np.float32]
"""(N, C, H, W): uint8, where 255 means 1, or float32 in 0..1. uint8 is converted only per batch, which saves
memory."""

WHITES = (1, 16, 255, 65535)
"""Possible values of white: binary; 17 shades as in scikit-learn's digits; 8 bits; 16 bits."""
ROUNDING = 1e-6
"""Tolerance of floats outside 0..1, for rounding errors of resizing."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The value of white; black is 0."""

    white: int
    """One of ``WHITES``."""
    floats: bool = False
    """Whether the training images were floats."""

    def of(self, dtype: np.dtype[Any], name: str) -> int:
        """Return the value of white in an array of type ``dtype``, whatever its contents.

        The scale is that of training, with two exceptions by type: floats are 0..1 for a network trained on 8 or 16
        bits, and uint8 is 0..255 for one trained on floats in 0..1.

        Raises:
            DataError: The type does not match the scale of the training images.
        """
        if dtype.kind == "b":
            return 1
        if dtype.kind == "f":
            return self.white if self.floats or self.white < 255 else 1
        if self.floats and self.white == 1:
            if dtype == np.uint8:
                return 255
            raise DataError(
                f"{name} holds {dtype}, but the training images were floats in 0..1; divide it by the number that "
                "means white, or give uint8, where that is 255"
            )
        if dtype.itemsize == 1 and self.white > 255:
            raise DataError(
                f"{name} holds {dtype}, but {self.white:,} was white in the training images; give uint16, or floats "
                "in 0..1"
            )
        return self.white


BYTES = Scale(255)
UNKNOWN = Scale(0)
"""Scale of weights by earlier versions, which did not save it: the type of the images decides."""


def white_of(dtype: np.dtype[Any]) -> int:
    """Return the value of white in internal images of type ``dtype``: 255 for uint8, 1 for float32."""
    return 255 if dtype.kind == "u" else 1


def measure_scale(arrays: Sequence[Array], by_type: bool = False) -> Scale:
    """Detect the scale of the training images.

    Args:
        arrays: The images of each split, training first; the others only show whether uint16 is needed.
        by_type: Use the type alone, as earlier versions did.
    """
    train = arrays[0]
    highest = train.max()
    if train.dtype.kind == "f":
        if not by_type and 16 <= highest <= 255 and bool((train == np.rint(train)).all()):
            return Scale(16 if highest == 16 else 255, floats=True)
        return Scale(1, floats=True)  # values outside 0..1 are reported by ``to_pixels``
    if is_16_bit(train.dtype) and any(is_16_bit(array.dtype) and array.max() > 255 for array in arrays):
        return Scale(65535)
    return BYTES if by_type or highest not in (1, 16) else Scale(int(highest))


def choice_of(scale: Scale, array: Array) -> tuple[str, ...]:
    """Describe the scale of the training images in one line; nothing if it is unambiguous."""
    if scale.white == 255 and is_16_bit(array.dtype):
        return ("pixels: uint16, but none above 255: divided by 255",)
    if scale == BYTES or scale == Scale(1, floats=True):
        return ()
    if scale.white == 1:
        return ("pixels: 0 and 1, where 1 is white",)
    return (f"pixels: {'floats ' if scale.floats else ''}0..{scale.white}, divided by {scale.white}",)


def to_pixels(array: Array, name: str, scale: Scale = BYTES) -> Images:
    """Check pixels and convert them to uint8 or float32.

    Args:
        array: Images (N, C, H, W) of any number type.
        name: Name of the array, for error messages.
        scale: Scale of the training images. Integers in 0..255 with 255 as white become uint8, others float32.

    Raises:
        DataError: A pixel is NaN or infinite, or lies outside the range, or the type does not fit the scale.
    """
    white = scale.of(array.dtype, name)
    if array.dtype == np.uint8 and white == 255:
        return np.ascontiguousarray(array)
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255) if scale.white == 255 else array.astype(np.float32, order="C")
    _check_range(array, name, white)
    if white == 255 and (array.dtype.kind != "f" or bool((array == np.rint(array)).all())):
        return np.ascontiguousarray(array, dtype=np.uint8)
    if white == 1:
        pixels = np.ascontiguousarray(array, dtype=np.float32)
        return pixels if pixels.min() >= 0 and pixels.max() <= 1 else pixels.clip(0, 1)
    return array.astype(np.float32, order="C") / np.float32(white)


def is_16_bit(dtype: np.dtype[Any]) -> bool:
    """Return whether a type is uint16 of any byte order."""
    return dtype.kind == "u" and dtype.itemsize == 2


def _check_range(array: Array, name: str, white: int) -> None:
    is_float = array.dtype.kind == "f"
    lowest, highest = array.min().item(), array.max().item()  # NaN if any pixel is
    if is_float and not (np.isfinite(lowest) and np.isfinite(highest)):
        first = int(np.flatnonzero(~np.isfinite(array).all(axis=(1, 2, 3)))[0])
        raise DataError(
            f"{name} holds a pixel that is not a number or infinite, first in image {first} (counted from 0)"
        )
    slack = ROUNDING if is_float and white == 1 else 0
    if -slack <= lowest and highest <= white + slack:
        return
    held = f"{name} holds pixels from {lowest:.9g} to {highest:.9g}"
    if white != (1 if is_float else 255):
        raise DataError(f"{held}; the training images say that {white:,} is white, so all lie in 0..{white}")
    if not is_float:
        raise DataError(f"{held}; whole numbers must lie in 0..255, or in 0..65535 as uint16")
    if lowest < -slack:
        remedy = "give them as they were before they were standardized"
    elif 16 < highest <= 255:
        remedy = "divide them by 255, or store whole numbers in 0..255 as uint8"
    else:
        remedy = "divide them by the number that means white"
    raise DataError(f"{held}; floats must lie in 0..1: {remedy}")


def cast_like(x: Array, values: Array) -> Array:
    """Convert values to the type of ``x``; bytes are rounded."""
    if x.dtype.kind == "u":
        values = np.rint(values)
    result: NDArray[Any] = values.astype(x.dtype)
    return result
