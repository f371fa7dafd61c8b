"""Small versions of images, as PNG or JPEG files for a page."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnntrain.data.contact_sheet import images_of
from cnntrain.data.dataset import Dataset

MAX_SIDE = 64
"""Maximum rows and columns of a thumbnail."""
MAX_PNG_SIDE = 32
"""Images up to this size are PNG files, exact to the pixel; larger ones are JPEG files, which are smaller."""
QUALITY = 80


def thumbnails(dataset: Dataset, indices: NDArray[np.intp]) -> list[tuple[str, bytes]]:
    """Return media type and content of a small image of each sample at ``indices``."""
    return [_file(image) for image in images_of(dataset, indices)]


def _file(image: Image.Image) -> tuple[str, bytes]:
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    file = BytesIO()
    if max(image.size) <= MAX_PNG_SIDE:
        image.save(file, "PNG", optimize=True)
        return "image/png", file.getvalue()
    image.save(file, "JPEG", quality=QUALITY)
    return "image/jpeg", file.getvalue()
