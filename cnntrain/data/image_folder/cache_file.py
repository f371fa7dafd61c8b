"""A cache file of decoded images or of features: an ``.npy`` array that any tool can open, followed by a JSON report.

::

    npy header | array (N, C, H, W) | JSON | length of the JSON, CRC-32 of everything before (8 bytes each)

The file can be recreated at any time, so it is used only if its checksum and contents are valid.
"""

import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cnntrain.data.image_folder.cache_cleanup import is_ours
from cnntrain.data.mapped_images import MappedImages
from cnntrain.errors import visible
from cnntrain.storage.regular_file import open_regular

FOOTER = struct.Struct("<QQ")
CHUNK = 1 << 22
MAX_REPORT = 1000
"""Maximum bytes of the JSON per image."""
Shape = tuple[int, int, int, int]
PIXELS, FEATURES = np.dtype(np.uint8), np.dtype("<f4")
"""Types of decoded images and of features."""


def header(shape: Shape, dtype: np.dtype[Any] = PIXELS) -> bytes:
    """Return the header of an npy file."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": dtype.str, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def size_of(shape: Shape, dtype: np.dtype[Any]) -> int:
    """Return the bytes of an array."""
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


class DecodeReport(NamedTuple):
    """Unreadable and duplicate images found while decoding."""

    unreadable: list[tuple[int, str]]
    """Index and reason of each unreadable image."""
    duplicates: list[list[int]]
    """Groups of indices of images with identical pixels."""
    digests: list[str] = []  # noqa: RUF012
    """Digest of the content of each file, for features; empty for decoded images."""

    def to_json(self) -> str:
        """Return the report as JSON."""
        content = self._asdict()
        return json.dumps(content if self.digests else {key: content[key] for key in ("unreadable", "duplicates")})

    @classmethod
    def from_json(cls, content: Any, count: int) -> Self | None:
        """Parse what ``Writer.close`` wrote for ``count`` images; None if it is invalid."""

        def is_index(value: Any) -> bool:
            return type(value) is int and 0 <= value < count

        match content:
            case {"unreadable": list(unreadable), "duplicates": list(duplicates), **rest} if not rest.keys() - {
                "digests"
            }:
                digests = rest.get("digests", [])
            case _:
                return None
        if not isinstance(digests, list) or not all(isinstance(digest, str) for digest in digests):
            return None
        for pair in unreadable:
            match pair:
                case [index, str()] if is_index(index):
                    continue
            return None
        if not all(isinstance(group, list) and len(group) > 1 and all(map(is_index, group)) for group in duplicates):
            return None
        return cls([(index, visible(reason)) for index, reason in unreadable], duplicates, digests)


class Writer:
    """Writes a cache file.

    Raises:
        OSError: The disk is full.
    """

    def __init__(self, file: IO[bytes], shape: Shape, dtype: np.dtype[Any] = PIXELS) -> None:
        self._file, self._crc = file, 0
        start = header(shape, dtype)
        if hasattr(os, "posix_fallocate"):  # fails now if the disk is full, not halfway
            os.posix_fallocate(file.fileno(), 0, len(start) + size_of(shape, dtype))
        self._write(start)

    def _write(self, content: bytes | memoryview) -> None:
        self._crc = zlib.crc32(content, self._crc)
        self._file.write(content)

    def add(self, images: NDArray[Any]) -> None:
        """Add images (n, C, H, W), or features."""
        self._write(np.ascontiguousarray(images).reshape(-1).view(np.uint8).data)

    def close(self, report: DecodeReport) -> None:
        """Write the report and the footer."""
        text = report.to_json().encode()
        self._write(text)
        self._file.write(FOOTER.pack(len(text), self._crc))
        self._file.flush()


def read(
    path: Path, shape: Shape, dtype: np.dtype[Any] = PIXELS, count: int | None = None
) -> tuple[MappedImages, DecodeReport] | None:
    """Return the memory-mapped images and the report; None if the file is missing or invalid.

    Args:
        path: The file.
        shape: The shape that the array must have.
        dtype: The type that it must have.
        count: Number of images that the report is about, by default the first side of ``shape``.
    """
    start = header(shape, dtype)
    end = len(start) + size_of(shape, dtype)
    try:
        with open_regular(path) as file:
            report = _checked(file, start, end, shape[0] if count is None else count)
            return None if report is None else (MappedImages.of(file, len(start), shape, dtype), report)
    except (OSError, ValueError):
        return None


def images_in_file(path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> int | None:
    """Return N of a file with an array ``(N, *shape)``; None if it is missing or of another kind."""
    try:
        with open_regular(path) as file:
            if npy.read_magic(file) != (1, 0):
                return None
            found, is_fortran, kind = npy.read_array_header_1_0(file)
    except (OSError, ValueError):
        return None
    return found[0] if len(found) == 4 and found[1:] == shape and kind == dtype and not is_fortran else None


def _checked(file: BinaryIO, start: bytes, pixels: int, count: int) -> DecodeReport | None:
    """Return the report after ``pixels`` bytes on ``count`` images; None if the file is invalid."""
    found = os.fstat(file.fileno())
    if not is_ours(found) or found.st_size < pixels + FOOTER.size or file.read(len(start)) != start:
        return None
    file.seek(found.st_size - FOOTER.size)
    length, crc = FOOTER.unpack(file.read(FOOTER.size))
    if length != found.st_size - pixels - FOOTER.size or length > MAX_REPORT * (count + 1):
        return None
    if crc != _crc(file, found.st_size - FOOTER.size):
        return None
    file.seek(pixels)
    try:
        return DecodeReport.from_json(json.loads(file.read(length)), count)
    except RecursionError:
        return None


def _crc(file: IO[bytes], size: int) -> int:
    """Return the CRC-32 of the first ``size`` bytes."""
    file.seek(0)
    crc, buffer = 0, memoryview(bytearray(CHUNK))
    while size:
        count = file.readinto(buffer[: min(CHUNK, size)])  # type: ignore[attr-defined]
        if not count:
            return -1
        crc = zlib.crc32(buffer[:count], crc)
        size -= count
    return crc
