"""How much memory decoding a picture takes: never more than a limit, and large ones one after the other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from PIL import Image

MOST_DECODED = 320_000_000
"""Bytes that a picture may take while it is decoded and made plain."""
LARGE = 32_000_000
"""Bytes from which on a picture waits for other large ones."""
BYTES = {"1": 2, "L": 2, "P": 5, "RGB": 5, "I;16": 10, "I;16B": 10, "I;16L": 10, "I;16N": 10}
"""A pixel takes, with the copies that are made on the way."""
OTHER, TRANSPARENT, UNFINISHED = 8, 16, 3
"""The same of other modes, of what is laid on white, and of a JPEG that comes in scans."""
MORE = {"WEBP": 11, "AVIF": 5, "HEIF": 3}
"""What decoders of some formats take beside, a pixel."""

_one_large = threading.RLock()


class Refused(Exception):
    """A reason of our own not to read a file."""


@contextmanager
def room_for_file(size: int) -> Iterator[None]:
    """Context in which a file of ``size`` bytes is read whole and decoded: large ones one after the other."""
    with _one_large if size > LARGE else nullcontext():
        yield


@contextmanager
def room_for(picture: Image.Image) -> Iterator[None]:
    """Context in which a picture is decoded, of which the header is read.

    A JPEG is not refused here: the scale is not chosen yet at which it is decoded.

    Raises:
        Refused: It would take too much.
    """
    in_scans = UNFINISHED * picture.size[0] * picture.size[1]
    need = in_scans if picture.format == "JPEG" else checked_need(picture)
    with _one_large if need > LARGE else nullcontext():
        yield


def checked_need(picture: Image.Image) -> int:
    """Return the bytes that a picture takes at the scale at which it is decoded.

    Raises:
        Refused: They are too many.
    """
    W, H = picture.size
    clear = "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    need = W * H * ((TRANSPARENT if clear else BYTES.get(picture.mode, OTHER)) + MORE.get(picture.format or "", 0))
    if need > MOST_DECODED:
        raise Refused(
            f"it has {W:,} x {H:,} pixels of mode {picture.mode}, which take {need:,} bytes to decode, and "
            f"{MOST_DECODED:,} are allowed"
        )
    return need
