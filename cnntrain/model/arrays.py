"""Pixels in arrays, as people have them -> those that a network takes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.pictures.form import Form
from cnntrain.data.pictures.shown import fit_array
from cnntrain.data.pixels import Images, is_deep, to_pixels
from cnntrain.errors import DataError
from cnntrain.types import Shape

CHANNELS = (1, 3, 4)
"""Of an image: grey; red, green, blue; and these with transparency."""


def images_in(array: NDArray[Any], in_shape: Shape, form: Form | None) -> Iterator[Images]:
    """Yield the images of an array, ``(C, H, W)`` as the network takes them.

    Images that have the network's shape are used as they are; others are brought to it as picture files are.

    Args:
        array: One image ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)``, or a batch ``(N, H, W, C)`` or ``(N, C, H, W)``,
            for a grey network also ``(N, H, W)``, of whole numbers in 0..255 or floats in 0..1.
        in_shape: Of the network.
        form: What pictures are brought to; None if the network takes none.

    Raises:
        DataError: The array is none of these.
    """
    batch = as_batch(array, in_shape)
    if batch.size == 0:
        return
    pixels = to_pixels(batch, "the array", is_deep(batch))
    if pixels.shape[1:] == in_shape:
        yield from pixels
        return
    if form is None:
        raise DataError(f"the network takes arrays of shape (N, {', '.join(map(str, in_shape))}), not {array.shape}")
    if pixels.dtype.kind == "f":
        pixels = np.rint(pixels * 255).astype(np.uint8)
    for image in pixels:
        yield fit_array(image.transpose(1, 2, 0), form)


def as_batch(array: NDArray[Any], in_shape: Shape) -> NDArray[Any]:
    """``array`` as ``(N, C, H, W)``: where several readings are possible, the one with the network's own shape."""
    if array.dtype.kind not in "buif":
        raise DataError(f"an array of images holds numbers, not {array.dtype}")
    if array.ndim not in (2, 3, 4):
        raise DataError(
            f"an image is an array (H, W), (H, W, C) or (C, H, W), a batch of them has N in front, not {array.shape}"
        )
    if array.ndim == 2:
        return array[None, None]
    batch = array[None] if array.ndim == 3 else array
    shape = batch.shape[1:]
    C, H, W = in_shape
    if array.ndim == 3 and array.shape[1:] == (H, W) and C == 1:
        return array[:, None]
    if shape == (C, H, W):
        return batch
    if shape == (H, W, C) or shape[-1] in CHANNELS:
        return batch.transpose(0, 3, 1, 2)
    if shape[0] in CHANNELS:
        return batch
    raise DataError(
        f"which side of an array of shape {array.shape} is the channels? It must be the first or last side of an image"
    )
