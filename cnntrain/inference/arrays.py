"""Images in NumPy arrays of any common layout -> arrays with the layout of the network."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.image_folder.in_memory import fit_array, fit_floats
from cnntrain.data.image_spec import ImageSpec
from cnntrain.data.pixels import Images, Scale, to_pixels
from cnntrain.errors import DataError
from cnntrain.types import Shape

CHANNELS = (1, 3, 4)
"""Channels of an image: gray, RGB or RGBA."""


def images_in(array: NDArray[Any], in_shape: Shape, spec: ImageSpec | None, scale: Scale) -> Iterator[Images]:
    """Yield the images of an array, ``(C, H, W)``.

    Images that have the network's shape are used as they are; others are resized like image files.

    Args:
        array: One image ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)``, or a batch ``(N, H, W, C)`` or ``(N, C, H, W)``,
            for a gray network also ``(N, H, W)``, or rows of pixels ``(N, C * H * W)``.
        in_shape: The input shape of the network.
        spec: The shape and fit of resized images; None if the network does not take 1 or 3 channels.
        scale: The scale of the pixels, as in training.

    Raises:
        DataError: The array has another shape or type.
    """
    batch = as_batch(array, in_shape)
    if batch.size == 0:
        return
    pixels = to_pixels(batch, "the array", scale)
    if pixels.shape[1:] == in_shape:
        yield from pixels
        return
    if spec is None:
        raise DataError(f"the network takes arrays of shape (N, {', '.join(map(str, in_shape))}), not {array.shape}")
    if scale.white == 255 and pixels.dtype.kind == "f":
        pixels = np.rint(pixels * 255).astype(np.uint8)
    if pixels.dtype.kind == "f" and pixels.shape[1] != in_shape[0]:
        raise DataError(
            f"the network was trained on arrays of {in_shape[0]} channels that are not bytes; it cannot take "
            f"{pixels.shape[1]} channels"
        )
    for image in pixels:
        if pixels.dtype.kind == "f":
            yield fit_floats(image, spec)
        else:
            yield fit_array(image.transpose(1, 2, 0), spec)


def as_batch(array: NDArray[Any], in_shape: Shape) -> NDArray[Any]:
    """Return ``array`` as ``(N, C, H, W)``; an ambiguous shape is read as the network's own.

    Raises:
        DataError: It is not an array of images, or could be both one image and rows of pixels.
    """
    if array.dtype.kind not in "buif":
        raise DataError(f"an array of images holds numbers, not {array.dtype}")
    if array.ndim not in (2, 3, 4):
        raise DataError(
            f"an image is an array (H, W), (H, W, C) or (C, H, W), a batch of them has N in front, not {array.shape}"
        )
    C, H, W = in_shape
    if array.ndim == 2:
        if array.shape[1] != math.prod(in_shape):
            return array[None, None]
        if array.shape[0] == array.shape[1] > 1:
            raise DataError(
                f"an array of shape {array.shape} could be one image or {len(array)} rows of {C} x {H} x {W} pixels; "
                f"reshape it to (1, {len(array)}, {len(array)}) or to (N, {C}, {H}, {W})"
            )
        return array.reshape(-1, *in_shape)
    batch = array[None] if array.ndim == 3 else array
    shape = batch.shape[1:]
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
