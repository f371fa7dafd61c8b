"""The size and channels to which images are converted before a network sees them."""

from dataclasses import dataclass
from typing import Literal, get_args

FitMode = Literal["stretch", "crop", "pad"]
"""How to resize an image with a different aspect ratio: distort it, crop its center, or pad it with black."""
FIT_MODES: tuple[FitMode, ...] = get_args(FitMode)


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Channels, rows, columns and fit mode."""

    channels: int
    """1 (gray) or 3 (red, green, blue)."""
    H: int
    W: int
    fit: FitMode = "crop"
