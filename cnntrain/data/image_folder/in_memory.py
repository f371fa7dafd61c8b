"""Resizes images in memory to the same pixels that reading their file would give."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from cnntrain.data.image_folder.decode import decode_pixels, fit_to_size
from cnntrain.data.image_folder.file_content import strip_metadata
from cnntrain.data.image_folder.open_image import FORMATS, as_image_error
from cnntrain.data.image_folder.pillow_warnings import PILLOW_QUIET
from cnntrain.data.image_spec import ImageSpec


def is_pillow_image(thing: object) -> bool:
    """Return whether ``thing`` is a Pillow image."""
    return isinstance(thing, Image.Image)


def fit_image(image: Any, spec: ImageSpec) -> NDArray[np.uint8]:
    """Resize a Pillow image to ``spec``, as ``read_image`` does for a file, without changing the image.

    A JPEG that Pillow has already decoded is resized from its full size, which gives slightly different pixels than
    reading its file.

    Shape:
        -> ``(C, H, W)``, uint8

    Raises:
        ImageError: The image is damaged or of an unsupported kind.
    """
    with as_image_error(getattr(image, "filename", "") or "an image"), PILLOW_QUIET:
        if isinstance(image, JpegImagePlugin.JpegImageFile) and image.tile and image.fp:
            # Not decoded yet: reopen it like a file, because a smaller scale must not affect the caller's image.
            at = image.fp.tell()
            image.fp.seek(0)
            content = image.fp.read()
            image.fp.seek(at)
            image = Image.open(BytesIO(strip_metadata(content, "JPEG")), formats=FORMATS)
        return decode_pixels(image, spec)


def fit_array(image: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.uint8]:
    """Resize pixels to ``spec``.

    Shape:
        image ``(H, W, C)``, gray, RGB or RGBA -> ``(C, H, W)``
    """
    gray_or_color = image[:, :, 0] if image.shape[2] == 1 else image
    return fit_image(Image.fromarray(np.ascontiguousarray(gray_or_color)), spec)


def fit_floats(image: NDArray[np.float32], spec: ImageSpec) -> NDArray[np.float32]:
    """Resize pixels in 0..1 to ``spec``, channel by channel and without rounding.

    Shape:
        image ``(C, H, W)``, with as many channels as ``spec`` -> ``(C, H, W)``
    """
    resized = []
    for channel in image:
        one = Image.fromarray(np.ascontiguousarray(channel))
        resized.append(np.asarray(fit_to_size(one, one.size, spec.fit, spec.H, spec.W)))
    return np.stack(resized).clip(0, 1)
