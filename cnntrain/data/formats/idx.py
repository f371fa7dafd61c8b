"""``source: idx``: a folder with the four files of MNIST, Fashion-MNIST, KMNIST or EMNIST, plain or gzipped.

An IDX file is a header and uint8 data; its numbers are big-endian and 4 bytes long::

    0 0 8 3 | images | rows | columns | pixels            0 0 8 1 | labels | one byte each

(8 stands for uint8, the next byte is the number of axes.) Images are used as stored, as in other tools: EMNIST's
rows and columns are swapped, and stay so.

Source: http://yann.lecun.com/exdb/mnist, "FILE FORMATS FOR THE MNIST DATABASE".
"""

import gzip
import math
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Arrays, PredefinedSplits, Splits, assemble
from cnntrain.data.folder import entries
from cnntrain.data.formats.decompress import Readable, check_ratio, read_exact
from cnntrain.data.names import join_names
from cnntrain.data.pixels import Scale
from cnntrain.errors import DataError, reason_of
from cnntrain.storage import open_regular

FILE_NAME = re.compile(r"((?:.*[-_.])?)(train|t10k|test)-(images[-.]idx3|labels[-.]idx1)-ubyte(?:\.gz)?", re.DOTALL)
AXES = {"images": 3, "labels": 1}
TYPES = {
    8: "unsigned bytes",
    9: "signed bytes",
    11: "16-bit numbers",
    12: "32-bit numbers",
    13: "32-bit floats",
    14: "64-bit floats",
}
"""Data type by the third byte of a file."""
FOLDER = "`source: idx` reads the folder that holds the four IDX files, train-images-idx3-ubyte and so on"


def load(path: Path, names: tuple[str, ...] | None = None, scale: Scale | None = None) -> Splits | PredefinedSplits:
    """Read the folder ``path``; without test files there is no test split.

    Args:
        path: The folder.
        names: Class names; by default the labels.
        scale: As in ``assemble``.

    Raises:
        DataError: A file is missing or malformed, or two do not match.
    """
    prefix, files = _find(path)
    train = _read_split(path, prefix, files, ["train"])
    if train is None:
        raise DataError(
            f"{path}: no training images; looked for train-images-idx3-ubyte, plain or .gz, also with a prefix such as "
            f"emnist-letters-; the folder holds {join_names(file.name for file in entries(path, FOLDER))}"
        )
    return assemble(str(path), train, _read_split(path, prefix, files, ["t10k", "test"]), names, scale=scale)


def _find(path: Path) -> tuple[str, dict[str, Path]]:
    """Return the common prefix of the file names, and the files by the rest: ``train-images`` and so on."""
    found: dict[str, Path] = {}
    prefixes: set[str] = set()
    for file in entries(path, FOLDER):  # a plain file comes before the same one with .gz
        match = FILE_NAME.fullmatch(file.name)
        if match and file.is_dir():  # some tools extract each file to a folder of the same name
            inner = [inside for inside in entries(file, FOLDER) if FILE_NAME.fullmatch(inside.name)]
            file = inner[0] if len(inner) == 1 and not inner[0].is_dir() else file
        if match and not file.is_dir():
            prefix, split, kind = match.groups()
            prefixes.add(prefix)
            found.setdefault(f"{split}-{kind[:6]}", file)
    if len(prefixes) > 1:
        raise DataError(
            f"{path} holds the files of {len(prefixes)} data sets, beginning with "
            f"{join_names(map(repr, prefixes))}; move those of one into a folder of their own"
        )
    return "".join(prefixes), found


def _read_split(path: Path, prefix: str, files: dict[str, Path], spellings: list[str]) -> Arrays | None:
    """Read images and labels of a split, by the first of its ``spellings`` that exists."""
    split = next((word for word in spellings if f"{word}-images" in files or f"{word}-labels" in files), None)
    if split is None:
        return None
    for present, missing in (("images", "labels"), ("labels", "images")):
        if f"{split}-{missing}" not in files:
            name = f"{prefix}{split}-{missing}-idx{AXES[missing]}-ubyte"
            raise DataError(f"{path}: there is {files[f'{split}-{present}'].name}, but neither {name} nor {name}.gz")
    images, labels = files[f"{split}-images"], files[f"{split}-labels"]
    return Arrays(read(images, "images")[:, None], read(labels, "labels"), images.name, labels.name)


def read(file: Path, kind: str) -> NDArray[np.uint8]:
    """Read one IDX file of ``images`` (N, H, W) or ``labels`` (N,). Gzip is detected by the first bytes.

    Raises:
        DataError: The file is damaged, has another format, or another length than its header claims.
    """
    try:
        with open_regular(file) as plain:
            size = os.fstat(plain.fileno()).st_size
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not packed:
                return _read(plain, size, False, file, kind)
            with gzip.open(plain) as unpacked:
                return _read(unpacked, size, True, file, kind)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{file}: the gzip file is damaged: {reason_of(error)}") from None
    except OSError as error:
        raise DataError(f"{file}: the file cannot be read: {error.strerror or error}") from None


def _axes(count: int) -> str:
    return "1 axis" if count == 1 else f"{count} axes"


def _read(stream: Readable, size: int, packed: bool, file: Path, kind: str) -> NDArray[Any]:
    axes = AXES[kind]
    header = stream.read(4 + 4 * axes)
    if header[:4] != bytes([0, 0, 8, axes]):
        if header[:2] == b"\0\0" and len(header) > 3 and header[2] in TYPES:
            raise DataError(
                f"{file} is an IDX file of {TYPES[header[2]]} with {_axes(header[3])}; {kind} are read from unsigned "
                f"bytes with {_axes(axes)}"
            )
        raise DataError(
            f"{file} is not an IDX file of {kind}: it begins with {header[:4].hex(' ') or 'nothing'}, not with "
            f"00 00 08 0{axes}"
        )
    if len(header) < 4 + 4 * axes:
        raise DataError(f"{file} is cut off within its header of {4 + 4 * axes} bytes")
    shape = struct.unpack(f">{axes}I", header[4:])
    if 0 in shape:
        raise DataError(f"{file} is empty: it claims {' x '.join(map(str, shape))} bytes of data")
    claimed = math.prod(shape)
    if packed:
        check_ratio(str(file), claimed, size)
    elif claimed != size - len(header):
        raise DataError(
            f"{file} claims {' x '.join(map(str, shape))} = {claimed:,} bytes of data, but holds {size - len(header):,}"
        )
    return np.ndarray(shape, np.uint8, buffer=read_exact(stream, claimed, str(file)))
