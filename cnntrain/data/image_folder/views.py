"""Versions of an image for ``data.features.views``: mirrored and cropped, as in torchvision's TenCrop.

View 0 is the image itself. Views 1, 3, 5, ... are mirrored left to right. Views 2 and 3 are the upper left 7/8 of the
image, 4 and 5 the lower right, 6 and 7 the upper right, 8 and 9 the lower left, each resized to the whole.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHARE = 7 / 8
"""Share of the rows and of the columns that a crop keeps."""
CORNERS = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Corners of the crops, rows first: 0 is the first row or column, 1 the last."""


def view(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return one view of an image.

    Args:
        image: ``(C, H, W)``.
        number: From 0.
    """
    if number >= 2:
        image = crop_corner(image, CORNERS[number // 2 - 1])
    return image[:, :, ::-1] if number % 2 else image


def crop_corner(image: NDArray[np.uint8], corner: tuple[int, int]) -> NDArray[np.uint8]:
    """Return one corner of an image, resized to the size of the image."""
    _, H, W = image.shape
    top, left = corner[0] * (1 - SHARE) * H, corner[1] * (1 - SHARE) * W
    box = (left, top, left + SHARE * W, top + SHARE * H)
    channels = [Image.fromarray(channel).resize((W, H), Image.Resampling.BILINEAR, box) for channel in image]
    return np.stack([np.asarray(channel) for channel in channels])
