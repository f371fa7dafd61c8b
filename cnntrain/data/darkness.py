"""Detects training images that are all nearly black, usually because of a wrong pixel scale."""

import numpy as np

from cnntrain.data.dataset import Dataset
from cnntrain.data.pixels import white_of

DARK = 1 / 16
"""Images with a brighter pixel than this are fine."""
CHUNK = 1 << 20
"""Pixels to check at a time; the first chunk nearly always suffices."""


def check_darkness(train: Dataset, are_files: bool, standardize: bool) -> str | None:
    """Return a note if no pixel of the training images is above 1/16 of white, and that matters.

    Standardized floats lose nothing; bytes have only a few distinct values left.

    Args:
        train: The training samples.
        are_files: Whether the images are files, whose 16-bit channels are read as 8 bits.
        standardize: Whether the pixels are standardized.
    """
    top = white_of(train.images.dtype)
    if top == 1 and standardize:
        return None
    step = max(1, CHUNK // int(np.prod(train.image_shape)))
    highest = 0.0
    for start in range(0, len(train), step):
        pixels = train.gather(np.arange(start, min(len(train), start + step)))
        highest = max(highest, float(pixels.max()))
        if highest / top >= DARK:
            return None
    found = f"all training images are nearly black: no pixel is above {highest:.3g} of {top}"
    if are_files:
        return (
            f"{found}; rescale the pixels so that white is 255, or 65,535 in 16-bit images, which keep only "
            "their upper 8 bits"
        )
    return f"{found}; if another number is white, scale the pixels to 0..{top}"
