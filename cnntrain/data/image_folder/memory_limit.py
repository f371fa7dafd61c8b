"""How much memory decoding an image takes: never more than a limit, and large ones one after the other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from PIL import Image

MAX_DECODED_BYTES = 320_000_000
"""Bytes that an image may take while it is decoded and made plain."""
LARGE = 32_000_000
"""Bytes from which on an image waits for other large ones."""
BYTES = {"1": 2, "L": 2, "P": 5, "RGB": 5, "I;16": 10, "I;16B": 10, "I;16L": 10, "I;16N": 10}
"""A pixel takes, with the copies that are made on the way."""
OTHER, TRANSPARENT, UNFINISHED = 8, 16, 3
"""The same of other modes, of what is laid on white, and of a JPEG that comes in scans."""
MORE = {"WEBP": 11, "AVIF": 5, "HEIF": 3}
"""What decoders of some formats take beside, a pixel."""

_one_large = threading.RLock()


class ImageRefused(Exception):
    """A reason of our own not to read a file."""


@contextmanager
def reserve_for_file(size: int) -> Iterator[None]:
    """Context in which a file of ``size`` bytes is read whole and decoded: large ones one after the other."""
    with _one_large if size > LARGE else nullcontext():
        yield


@contextmanager
def reserve_memory(image: Image.Image) -> Iterator[None]:
    """Context in which an image is decoded, of which the header is read.

    A JPEG is not refused here: the scale is not chosen yet at which it is decoded.

    Raises:
        Refused: It would take too much.
    """
    in_scans = UNFINISHED * image.size[0] * image.size[1]
    need = in_scans if image.format == "JPEG" else check_memory(image)
    with _one_large if need > LARGE else nullcontext():
        yield


def check_memory(image: Image.Image) -> int:
    """Return the bytes that an image takes at the scale at which it is decoded.

    Raises:
        Refused: They are too many.
    """
    W, H = image.size
    clear = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    need = W * H * ((TRANSPARENT if clear else BYTES.get(image.mode, OTHER)) + MORE.get(image.format or "", 0))
    if need > MAX_DECODED_BYTES:
        raise ImageRefused(
            f"it has {W:,} x {H:,} pixels of mode {image.mode}, which take {need:,} bytes to decode, and "
            f"{MAX_DECODED_BYTES:,} are allowed"
        )
    return need
