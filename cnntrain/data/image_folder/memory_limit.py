"""Limits the memory that decoding takes: a maximum per image, and only one large image at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from PIL import Image

MAX_DECODED_BYTES = 320_000_000
"""Maximum bytes to decode and convert one image."""
LARGE = 32_000_000
"""From this many bytes on, images are decoded one at a time."""
BYTES = {"1": 2, "L": 2, "P": 5, "RGB": 5, "I;16": 10, "I;16B": 10, "I;16L": 10, "I;16N": 10}
"""Bytes per pixel by mode, temporary copies included."""
OTHER, TRANSPARENT, UNFINISHED = 8, 16, 3
"""Bytes per pixel of other modes, of transparent images, and of a progressive JPEG."""
DECODER_BYTES = {"WEBP": 11, "AVIF": 5, "HEIF": 3}
"""Additional bytes per pixel of some decoders."""

_one_large = threading.RLock()


class ImageRefused(Exception):
    """cnntrain refuses to read a file, and why."""


@contextmanager
def reserve_for_file(size: int) -> Iterator[None]:
    """Context to read and decode a file of ``size`` bytes; large files one at a time."""
    with _one_large if size > LARGE else nullcontext():
        yield


@contextmanager
def reserve_memory(image: Image.Image) -> Iterator[None]:
    """Context to decode an open image; large images one at a time.

    A JPEG is not refused here, because its scale is not chosen yet.

    Raises:
        ImageRefused: The image takes too much memory.
    """
    in_scans = UNFINISHED * image.size[0] * image.size[1]
    need = in_scans if image.format == "JPEG" else check_memory(image)
    with _one_large if need > LARGE else nullcontext():
        yield


def check_memory(image: Image.Image) -> int:
    """Return the bytes needed to decode an image at its current scale.

    Raises:
        ImageRefused: The image takes too much memory.
    """
    W, H = image.size
    clear = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    need = W * H * ((TRANSPARENT if clear else BYTES.get(image.mode, OTHER)) + DECODER_BYTES.get(image.format or "", 0))
    if need > MAX_DECODED_BYTES:
        raise ImageRefused(
            f"it has {W:,} x {H:,} pixels of mode {image.mode}, which take {need:,} bytes to decode, but "
            f"at most {MAX_DECODED_BYTES:,} are allowed"
        )
    return need
