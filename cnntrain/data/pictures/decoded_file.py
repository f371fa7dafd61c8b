"""A file of decoded pictures: an ``.npy`` array that any tool opens, and behind it what was found while decoding.

::

    npy header | uint8 pixels (N, C, H, W) | JSON | length of the JSON and CRC-32 of all before, 8 bytes each

It can be made again at any time, so it is believed only if every byte is right.
"""

import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

FOOTER = struct.Struct("<QQ")
CHUNK = 1 << 22
Shape = tuple[int, int, int, int]


def header(shape: Shape) -> bytes:
    """The beginning of an npy file of uint8."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


class Writer:
    """Writes such a file from its beginning to its end.

    Raises:
        OSError: There is no room.
    """

    def __init__(self, file: IO[bytes], shape: Shape) -> None:
        self._file, self._crc = file, 0
        if hasattr(os, "posix_fallocate"):  # a disk that is full says so now, not when half is done
            os.posix_fallocate(file.fileno(), 0, len(header(shape)) + int(np.prod(shape, dtype=np.int64)))
        self._write(header(shape))

    def _write(self, content: bytes | memoryview) -> None:
        self._crc = zlib.crc32(content, self._crc)
        self._file.write(content)

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Add pictures (n, C, H, W)."""
        self._write(pixels.reshape(-1).data)

    def close(self, about: Any) -> None:
        """Add what is to be kept beside the pixels: plain data."""
        text = json.dumps(about).encode()
        self._write(text)
        self._file.write(FOOTER.pack(len(text), self._crc))
        self._file.flush()


def read(path: Path, shape: Shape) -> tuple[NDArray[np.uint8], Any] | None:
    """The pixels, mapped, and what is kept beside them; None if there is no such file, or it is damaged."""
    begin = header(shape)
    pixels = len(begin) + int(np.prod(shape, dtype=np.int64))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < pixels + FOOTER.size or file.read(len(begin)) != begin:
                return None
            file.seek(size - FOOTER.size)
            length, crc = FOOTER.unpack(file.read(FOOTER.size))
            if length != size - pixels - FOOTER.size or crc != _crc(file, size - FOOTER.size):
                return None
            file.seek(pixels)
            about = json.loads(file.read(length))
            return np.memmap(file, np.uint8, "r", len(begin), shape), about
    except (OSError, ValueError):
        return None


def _crc(file: IO[bytes], size: int) -> int:
    """The CRC-32 of the first ``size`` bytes."""
    file.seek(0)
    crc, buffer = 0, memoryview(bytearray(CHUNK))
    while size:
        count = file.readinto(buffer[: min(CHUNK, size)])  # type: ignore[attr-defined]
        if not count:
            return -1
        crc = zlib.crc32(buffer[:count], crc)
        size -= count
    return crc
