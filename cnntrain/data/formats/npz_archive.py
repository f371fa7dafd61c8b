"""Reads arrays from an npz file (a zip of npy files) that may be damaged or malicious.

Unlike ``numpy.load`` it never unpickles, and checks claimed sizes against the file size.
"""

import io
import math
import os
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from cnntrain.data.formats.decompress import Readable, check_ratio, read_exact
from cnntrain.errors import DataError
from cnntrain.storage import open_regular
from cnntrain.types import Array

MAX_HEADER = 10_000
"""Maximum bytes; NumPy's own limit for untrusted headers."""
MAX_AXES = 8
MAX_DIRECTORY = 1 << 19
"""Maximum bytes of the zip directory at the end of the file."""
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # an unsupported version of zip
    ValueError,  # a negative offset, or a name that is not text
    OverflowError,
)


class Archive:
    """An open npz file; a context manager.

    Raises:
        DataError: The file is missing or not a zip file.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            if path.is_dir():
                raise DataError(f"{path} is a folder, but `source: npz` reads one .npz file")
            self._file = _Reader(cast(io.RawIOBase, open_regular(path)))
        except (FileNotFoundError, ValueError):  # ValueError: not a valid path
            raise DataError(f"{path}: there is no such file") from None
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from None
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._zip = zipfile.ZipFile(self._file)
            self._file.is_listing = False
        except (*ZIP_ERRORS, OSError) as error:
            self._file.close()
            if isinstance(error, OSError):
                raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from None
            raise DataError(f"{path} is not an npz file, as numpy.savez writes it: {_message(error)}") from None
        self.names = {name.removesuffix(".npy") for name in self._zip.namelist()}

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str, instead: str = "store plain numbers") -> Array:
        """Return the array ``name``: numbers or text, not empty.

        Args:
            name: Name of the array.
            instead: Advice for arrays of another type.

        Raises:
            DataError: The array is missing, duplicate or damaged, or its size does not match its header.
        """
        label = f"{self.path}: {name}"
        infos = [info for info in self._zip.infolist() if info.filename.removesuffix(".npy") == name]
        if len(infos) != 1:
            raise DataError(f"{label} is {'missing' if not infos else f'there {len(infos)} times'}")
        (info,) = infos
        if info.flag_bits & 1:
            raise DataError(f"{label} is encrypted; save the arrays by numpy.savez")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{label} is packed by a method other than deflate; save the arrays by numpy.savez_compressed"
            )
        check_ratio(label, info.file_size, min(info.compress_size, self._size))
        try:
            with self._zip.open(info) as stream:
                return _read_array(stream, info.file_size, label, instead)
        except ZIP_ERRORS as error:
            raise DataError(f"{label} is damaged: {_message(error)}") from None
        except OSError as error:
            raise DataError(f"{self.path}: the file cannot be read: {error.strerror or error}") from None


class _Reader(io.BufferedReader):
    """A file that limits each read to the maximum directory size while the directory is parsed."""

    is_listing = True

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.is_listing:
            return super().read(size)
        is_whole = size is None or size < 0
        content = super().read(MAX_DIRECTORY + 1 if is_whole else min(size or 0, MAX_DIRECTORY + 1))
        if len(content) > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of arrays is longer than {MAX_DIRECTORY:,} bytes")
        return content


def _message(error: Exception) -> str:
    """Return the message of zipfile or zlib errors; those of other modules mean nothing to users."""
    if isinstance(error, zipfile.BadZipFile | zlib.error | NotImplementedError):
        return str(error)
    return "it is cut off, or not what numpy.savez writes"


def _read_array(stream: Readable, size: int, label: str, instead: str) -> Array:
    """Read an npy file of ``size`` bytes."""
    shape, fortran_order, dtype, header = _read_header(stream, label)
    if dtype.hasobject:
        raise DataError(f"{label} holds Python objects, a pickle, which is never loaded; {instead}")
    if dtype.kind not in "biufUS" or dtype.itemsize == 0:
        raise DataError(f"{label} holds values of the type {str(dtype)[:80]}; {instead}")
    if not 1 <= len(shape) <= MAX_AXES:
        raise DataError(f"{label} has {len(shape)} axes; images have 3 or 4, labels 1")
    if min(shape) < 1:
        raise DataError(f"{label} is empty: its shape is {str(shape)[:80]}")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != size - header:
        raise DataError(
            f"{label} claims the shape {str(shape)[:80]}, {f'{claimed:,}'[:80]} bytes of data, but holds "
            f"{size - header:,}"
        )
    content = read_exact(stream, claimed, label)
    if dtype.kind == "U" and np.frombuffer(content, f"{dtype.byteorder}u4").max() > sys.maxunicode:
        raise DataError(f"{label} is damaged: its text holds numbers that are no characters")
    return np.ndarray(shape, dtype, buffer=content, order="F" if fortran_order else "C")


def _read_header(stream: Readable, label: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Parse the header of an npy file; return shape, order, type and its size in bytes."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{label} is of version {version[0]}.{version[1]} of the npy format; 1.0 and 2.0 can be read")
    prefix = stream.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER:
        raise DataError(f"{label} has a header of {length:,} bytes; at most {MAX_HEADER:,} are read")
    text = io.BytesIO(prefix + stream.read(length))
    parse = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2; odd escapes in broken ones
            shape, fortran_order, dtype = parse(text)
    except Exception:  # anything that Python's tokenizer and compiler raise
        raise DataError(f"{label} has a broken header, which does not describe an array") from None
    return tuple(map(int, shape)), fortran_order, dtype, npy.MAGIC_LEN + len(prefix) + length
