"""Images that are in memory already -> the pixels that reading their file would have given."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from cnntrain.data.image_folder.decode import decode_pixels, fit_to_size
from cnntrain.data.image_folder.file_content import essential
from cnntrain.data.image_folder.open_image import FORMATS, as_image_error
from cnntrain.data.image_folder.pillow_warnings import PILLOW_QUIET
from cnntrain.data.image_spec import ImageSpec


def is_pillow_image(thing: object) -> bool:
    """Whether ``thing`` is an image of Pillow."""
    return isinstance(thing, Image.Image)


def fit_image(image: Any, spec: ImageSpec) -> NDArray[np.uint8]:
    """Bring an image of Pillow to ``spec``, as ``read_picture`` does a file; the image stays as it is.

    A JPEG that Pillow has decoded already is resized from its whole size, which gives slightly other pixels than
    reading its file.

    Shape:
        -> ``(C, H, W)``, uint8

    Raises:
        PictureError: It is damaged, or of a kind that is not read.
    """
    with as_image_error(getattr(image, "filename", "") or "an image"), PILLOW_QUIET:
        if isinstance(image, JpegImagePlugin.JpegImageFile) and image.tile and image.fp:
            # Not decoded yet: read it as from its file, at a smaller scale, which must not happen to the caller's.
            at = image.fp.tell()
            image.fp.seek(0)
            content = image.fp.read()
            image.fp.seek(at)
            image = Image.open(BytesIO(essential(content, "JPEG")), formats=FORMATS)
        return decode_pixels(image, spec)


def fit_array(image: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.uint8]:
    """Bring pixels to ``spec``.

    Shape:
        image ``(H, W, C)``, gray, RGB or RGBA -> ``(C, H, W)``
    """
    gray_or_color = image[:, :, 0] if image.shape[2] == 1 else image
    return fit_image(Image.fromarray(np.ascontiguousarray(gray_or_color)), spec)


def fit_floats(image: NDArray[np.float32], spec: ImageSpec) -> NDArray[np.float32]:
    """Bring pixels in 0..1 to ``spec``, each channel for itself and without rounding.

    Shape:
        image ``(C, H, W)``, with as many channels as ``spec`` -> ``(C, H, W)``
    """
    resized = []
    for channel in image:
        one = Image.fromarray(np.ascontiguousarray(channel))
        resized.append(np.asarray(fit_to_size(one, one.size, spec.fit, spec.H, spec.W)))
    return np.stack(resized).clip(0, 1)
