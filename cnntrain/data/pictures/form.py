"""What pictures of any size and colours are brought to before a network sees them."""

from dataclasses import dataclass
from typing import Literal, get_args

Fit = Literal["stretch", "crop", "pad"]
"""How a picture of other proportions is brought to size: distorted; its middle cut out; or with black borders."""
FITS: tuple[Fit, ...] = get_args(Fit)


@dataclass(frozen=True, slots=True)
class Form:
    """Channels, rows, columns, and the way to them."""

    channels: int
    """1 (grey) or 3 (red, green, blue)."""
    H: int
    W: int
    fit: Fit = "crop"
