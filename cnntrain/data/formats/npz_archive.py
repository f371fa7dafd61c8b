"""Reading arrays out of an npz file (a zip of npy files) that may be damaged or made to harm.

Unlike ``numpy.load``: nothing is unpickled, and a size is compared with the bytes that are there before it is believed.
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
"""Bytes; NumPy's own limit for headers of unknown origin."""
MAX_AXES = 8
MAX_DIRECTORY = 1 << 19
"""Bytes that the list of arrays at the end of the file may take."""
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a version of zip that Python does not know
    ValueError,  # a negative position, or a name that is no text
    OverflowError,
)


class Archive:
    """An open npz file; a context manager.

    Raises:
        DataError: There is no such file, or it is not a zip file.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            if path.is_dir():
                raise DataError(f"{path} is a folder, but `source: npz` reads one .npz file")
            self._file = _Reader(cast(io.RawIOBase, open_regular(path)))
        except (FileNotFoundError, ValueError):  # ValueError: no path can be so written
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
            raise DataError(f"{path} is not an npz file, as numpy.savez writes it: {_said(error)}") from None
        self.names = {name.removesuffix(".npy") for name in self._zip.namelist()}

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str, instead: str = "store plain numbers") -> Array:
        """The array ``name``: numbers or text, with at least one entry.

        Args:
            name: Of the array.
            instead: What to do about an array of something else.

        Raises:
            DataError: It is missing or there twice, is damaged, or claims another size than it has.
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
            raise DataError(f"{label} is damaged: {_said(error)}") from None
        except OSError as error:
            raise DataError(f"{self.path}: the file cannot be read: {error.strerror or error}") from None


class _Reader(io.BufferedReader):
    """A file of which, while its arrays are listed, only so much is read at a time as a sound list takes."""

    is_listing = True

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.is_listing:
            return super().read(size)
        is_whole = size is None or size < 0
        content = super().read(MAX_DIRECTORY + 1 if is_whole else min(size or 0, MAX_DIRECTORY + 1))
        if len(content) > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of arrays is longer than {MAX_DIRECTORY:,} bytes")
        return content


def _said(error: Exception) -> str:
    """What a sentence of zipfile or zlib says; those of Python's other modules say nothing to a user."""
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
    """What the header of an npy file says, and how many bytes it takes."""
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
            warnings.simplefilter("ignore")  # headers written by Python 2; odd escapes in a broken one
            shape, fortran_order, dtype = parse(text)
    except Exception:  # the parser raises whatever Python's own tokenizer and compiler do, in their words
        raise DataError(f"{label} has a broken header, which does not describe an array") from None
    return tuple(map(int, shape)), fortran_order, dtype, npy.MAGIC_LEN + len(prefix) + length
