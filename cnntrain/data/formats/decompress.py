"""Reading as many bytes as a header claims, without believing it.

A header of a few bytes can claim terabytes, and a packed file of a few kilobytes can unpack to hundreds of megabytes.
So a claim is first compared with the bytes that are really there, and what is then read grows with what really comes
out: nothing of the claimed size is ever allocated on trust.
"""

from typing import Protocol

from cnntrain.errors import DataError

CHUNK = 1 << 20
DEFLATE_LIMIT = 1032
"""Bytes that one byte of a deflate stream can become at most (zlib's own figure)."""
PICTURE_LIMIT, PICTURE_LIMIT_FROM = 200, 64 << 20
"""Real images never pack this well; small ones may, say a test's hundred black images, and do no harm."""


class Readable(Protocol):
    """A binary file, packed or not."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def check_ratio(name: str, claimed: int, packed: int) -> None:
    """Compare the bytes that packed data claim to become with the packed bytes that are there.

    Args:
        name: What is being read, to begin the message with.
        claimed: Bytes after unpacking, as a header says.
        packed: Bytes in the file.

    Raises:
        DataError: Deflate cannot pack so well, or only something made to fill the memory does.
    """
    if claimed > DEFLATE_LIMIT * packed:
        possible = DEFLATE_LIMIT * packed
        raise DataError(f"{name} claims {claimed:,} bytes, but its {packed:,} packed bytes hold {possible:,} at most")
    if claimed > PICTURE_LIMIT_FROM and claimed > PICTURE_LIMIT * packed:
        raise DataError(
            f"{name} claims to unpack from {packed:,} to {claimed:,} bytes, more than {PICTURE_LIMIT} times as many, "
            "which no images do; if it is meant so, store it unpacked"
        )


def read_exact(stream: Readable, claimed: int, name: str) -> bytearray:
    """Read the ``claimed`` bytes that are left in ``stream``.

    Raises:
        DataError: The stream holds fewer bytes, or more.
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
