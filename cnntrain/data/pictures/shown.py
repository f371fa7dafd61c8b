"""Pictures that are in memory already -> the pixels that reading their file would have given."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from cnntrain.data.pictures.content import essential
from cnntrain.data.pictures.form import Form
from cnntrain.data.pictures.opening import FORMATS, told
from cnntrain.data.pictures.quiet import QUIET
from cnntrain.data.pictures.reading import pixels_of, placed


def is_picture(thing: object) -> bool:
    """Whether ``thing`` is a picture of Pillow."""
    return isinstance(thing, Image.Image)


def fit_picture(picture: Any, form: Form) -> NDArray[np.uint8]:
    """Bring a picture of Pillow to ``form``, as ``read_picture`` does a file; the picture stays as it is.

    A JPEG that Pillow has decoded already is resized from its whole size, which gives slightly other pixels than
    reading its file.

    Shape:
        -> ``(C, H, W)``, uint8

    Raises:
        PictureError: It is damaged, or of a kind that is not read.
    """
    with told(getattr(picture, "filename", "") or "a picture"), QUIET:
        if isinstance(picture, JpegImagePlugin.JpegImageFile) and picture.tile and picture.fp:
            # Not decoded yet: read it as from its file, at a smaller scale, which must not happen to the caller's.
            at = picture.fp.tell()
            picture.fp.seek(0)
            content = picture.fp.read()
            picture.fp.seek(at)
            picture = Image.open(BytesIO(essential(content, "JPEG")), formats=FORMATS)
        return pixels_of(picture, form)


def fit_array(image: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Bring pixels to ``form``.

    Shape:
        image ``(H, W, C)``, grey, RGB or RGBA -> ``(C, H, W)``
    """
    grey_or_colour = image[:, :, 0] if image.shape[2] == 1 else image
    return fit_picture(Image.fromarray(np.ascontiguousarray(grey_or_colour)), form)


def fit_floats(image: NDArray[np.float32], form: Form) -> NDArray[np.float32]:
    """Bring pixels in 0..1 to ``form``, each channel for itself and without rounding.

    Shape:
        image ``(C, H, W)``, with as many channels as ``form`` -> ``(C, H, W)``
    """
    resized = []
    for channel in image:
        one = Image.fromarray(np.ascontiguousarray(channel))
        resized.append(np.asarray(placed(one, one.size, form.fit, form.H, form.W)))
    return np.stack(resized).clip(0, 1)
