"""Reads as many bytes as a header claims, without trusting it.

A header of a few bytes can claim terabytes, and a compressed file of a few kilobytes can expand to hundreds of
megabytes. The claim is first compared with the actual file size, and the buffer grows only with the data actually read:
nothing is allocated by the claimed size.
"""

from typing import Protocol

from cnntrain.errors import DataError

CHUNK = 1 << 20
DEFLATE_LIMIT = 1032
"""Maximum expansion of a deflate stream (by zlib's documentation)."""
IMAGE_LIMIT, IMAGE_LIMIT_FROM = 200, 64 << 20
"""Maximum expansion of images, and the size from which it applies: large real images never compress this well."""


class Readable(Protocol):
    """A binary file, compressed or not."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""


def check_ratio(name: str, claimed: int, packed: int) -> None:
    """Check the claimed uncompressed size against the compressed size.

    Args:
        name: What is being read, for error messages.
        claimed: Uncompressed bytes, by the header.
        packed: Compressed bytes in the file.

    Raises:
        DataError: The ratio is impossible, or typical of a decompression bomb.
    """
    if claimed > DEFLATE_LIMIT * packed:
        possible = DEFLATE_LIMIT * packed
        raise DataError(f"{name} claims {claimed:,} bytes, but its {packed:,} packed bytes hold {possible:,} at most")
    if claimed > IMAGE_LIMIT_FROM and claimed > IMAGE_LIMIT * packed:
        raise DataError(
            f"{name} claims to unpack from {packed:,} to {claimed:,} bytes, more than {IMAGE_LIMIT} times as many, "
            "which no images do; if it is meant so, store it unpacked"
        )


def read_exact(stream: Readable, claimed: int, name: str) -> bytearray:
    """Read exactly the ``claimed`` bytes that remain in ``stream``.

    Raises:
        DataError: The stream holds fewer or more bytes.
    """
    content = bytearray()
    while len(content) < claimed:
        chunk = stream.read(min(CHUNK, claimed - len(content)))
        if not chunk:
            raise DataError(f"{name} is cut off: it claims {claimed:,} bytes of data, but holds {len(content):,}")
        content += chunk
    if stream.read(1):
        raise DataError(f"{name} holds more than the {claimed:,} bytes of data that it claims")
    return content
