"""A file of decoded images: an ``.npy`` array that any tool opens, and behind it what was found while decoding.

::

    npy header | uint8 pixels (N, C, H, W) | JSON | length of the JSON and CRC-32 of all before, 8 bytes each

It can be made again at any time, so it is believed only if every byte is right, and what the bytes say is possible.
"""

import io
import json
import os
import struct
import weakref
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cnntrain.data.image_folder.cache_cleanup import is_ours
from cnntrain.errors import DataError, visible
from cnntrain.parallel.mapping import above_stdio
from cnntrain.storage.regular_file import open_regular

FOOTER = struct.Struct("<QQ")
CHUNK = 1 << 22
MAX_ABOUT = 1000
"""Bytes of the JSON for each image, at most."""
Shape = tuple[int, int, int, int]


def header(shape: Shape) -> bytes:
    """The beginning of an npy file of uint8."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


class DecodeReport(NamedTuple):
    """What was found while decoding."""

    unreadable: list[tuple[int, str]]
    """Indices of images that cannot be read, and why."""
    duplicates: list[list[int]]
    """Indices of images whose pixels are the same."""

    @classmethod
    def from_json(cls, content: Any, count: int) -> Self | None:
        """What ``Writer.close`` wrote for ``count`` images; None if it is anything else."""

        def is_index(value: Any) -> bool:
            return type(value) is int and 0 <= value < count

        match content:
            case {"unreadable": list(unreadable), "duplicates": list(duplicates), **rest} if not rest:
                pass
            case _:
                return None
        for pair in unreadable:
            match pair:
                case [place, str()] if is_index(place):
                    continue
            return None
        if not all(isinstance(group, list) and len(group) > 1 and all(map(is_index, group)) for group in duplicates):
            return None
        return cls([(place, visible(reason)) for place, reason in unreadable], duplicates)


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
        """Add images (n, C, H, W)."""
        self._write(pixels.reshape(-1).data)

    def close(self, about: DecodeReport) -> None:
        """Add what is to be kept beside the pixels."""
        text = json.dumps(about._asdict()).encode()
        self._write(text)
        self._file.write(FOOTER.pack(len(text), self._crc))
        self._file.flush()


class MappedImages(np.memmap[Any, np.dtype[np.uint8]]):
    """Images in a file that stays open: its name may be taken away, or given to another file, meanwhile."""

    descriptor: int

    @classmethod
    def of(cls, file: BinaryIO, offset: int, shape: Shape) -> Self:
        """Map the images behind the first ``offset`` bytes of an open file."""
        images = cls(file, np.uint8, "r", offset, shape)
        images.descriptor = above_stdio(os.dup(file.fileno()))
        weakref.finalize(images, os.close, images.descriptor)
        return images

    def check(self) -> None:
        """Make sure that the file is still as long as it was: to read beyond its end would kill the process.

        Raises:
            DataError: It is not.
        """
        if os.fstat(self.descriptor).st_size < self.offset + self.nbytes:
            raise DataError(
                f"{self.filename}: the file of decoded images was cut off while it was in use; remove it, and resume "
                "the run"
            )


def read(path: Path, shape: Shape) -> tuple[MappedImages, DecodeReport] | None:
    """The pixels, mapped, and what is kept beside them; None if there is no such file, or anything is odd about it."""
    begin = header(shape)
    pixels = len(begin) + int(np.prod(shape, dtype=np.int64))
    try:
        with open_regular(path) as file:
            about = _checked(file, begin, pixels, shape[0])
            return None if about is None else (MappedImages.of(file, len(begin), shape), about)
    except (OSError, ValueError):
        return None


def _checked(file: BinaryIO, begin: bytes, pixels: int, count: int) -> DecodeReport | None:
    """What is kept behind ``pixels`` bytes about ``count`` images; None if anything is odd about the file."""
    found = os.fstat(file.fileno())
    if not is_ours(found) or found.st_size < pixels + FOOTER.size or file.read(len(begin)) != begin:
        return None
    file.seek(found.st_size - FOOTER.size)
    length, crc = FOOTER.unpack(file.read(FOOTER.size))
    if length != found.st_size - pixels - FOOTER.size or length > MAX_ABOUT * (count + 1):
        return None
    if crc != _crc(file, found.st_size - FOOTER.size):
        return None
    file.seek(pixels)
    try:
        return DecodeReport.from_json(json.loads(file.read(length)), count)
    except RecursionError:
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
