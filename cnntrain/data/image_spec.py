"""What images of any size and colors are brought to before a network sees them."""

from dataclasses import dataclass
from typing import Literal, get_args

FitMode = Literal["stretch", "crop", "pad"]
"""How an image of other proportions is brought to size: distorted; its middle cut out; or with black borders."""
FIT_MODES: tuple[FitMode, ...] = get_args(FitMode)


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Channels, rows, columns, and the way to them."""

    channels: int
    """1 (gray) or 3 (red, green, blue)."""
    H: int
    W: int
    fit: FitMode = "crop"
