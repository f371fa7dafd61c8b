"""``source: cifar10``: a folder with the binary version of CIFAR-10, or a data set in the same format.

A batch file is a sequence of records of 3,073 bytes::

    label | 1,024 red pixels | 1,024 green | 1,024 blue             one byte each, row by row

``batches.meta.txt`` names the classes, one a line. The Python version of CIFAR-10 holds the same images as pickles.
They are never opened, because a pickle can run code.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

import math
import os.path
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnntrain.data.dataset import Arrays, PredefinedSplits, Splits, assemble
from cnntrain.data.folder import entries
from cnntrain.data.labels import to_class_names
from cnntrain.data.names import join_names
from cnntrain.errors import DataError
from cnntrain.storage import open_regular
from cnntrain.types import Array

SHAPE = (3, 32, 32)


class RecordFormat(NamedTuple):
    """The layout of a record."""

    labels: int = 1
    """Bytes before the pixels, each a label."""
    label_index: int = 0
    """Which of them to use."""
    data_set: str = "CIFAR-10"

    @property
    def record(self) -> int:
        """Bytes of a record."""
        return self.labels + math.prod(SHAPE)


CIFAR10 = RecordFormat()
CHUNK = 1024
"""Records to read at a time, so a file is never in memory in addition to its images."""
CLASSES = 10
MAX_NAMES = 1 << 16
"""Bytes of ``batches.meta.txt``; that of CIFAR-10 has 61."""

SUBFOLDER = "cifar-10-batches-bin"
TRAIN = re.compile(r"data_batch_([0-9]+)\.bin")
TEST = "test_batch.bin"
NAMES = "batches.meta.txt"
PACKED = re.compile(r"cifar-10-binary\.(tar\.gz|tgz|tar)")
PYTHON = re.compile(r"cifar-10-python\.(tar\.gz|tgz|tar)|cifar-10-batches-py|(data|test)_batch(_[0-9]+)?|batches\.meta")
FOLDER = f"`source: cifar10` reads the folder that holds data_batch_1.bin, usually called {SUBFOLDER}"


def load(path: Path) -> Splits | PredefinedSplits:
    """Read the folder ``path``, or its subfolder ``cifar-10-batches-bin``.

    Training images are those of all ``data_batch_<number>.bin``, in the order of their numbers. Without
    ``test_batch.bin`` there is no test split; without ``batches.meta.txt`` the classes are called 0 to 9.

    Raises:
        DataError: A file is missing or malformed, or is one of the Python version.
    """
    files = {file.name: file for file in _find(path)}
    names = read_names(files[NAMES]) if NAMES in files else tuple(map(str, range(CLASSES)))
    train = read(_in_order(files.values()), len(names))
    test = read([files[TEST]], len(names)) if TEST in files else None
    return assemble(str(path), train, test, names)


def _find(path: Path) -> list[Path]:
    """Return the files of the folder that holds the batches."""
    if os.path.isfile(path):
        _refuse([path])
    listed = entries(path, FOLDER)
    if not _in_order(listed) and path / SUBFOLDER in listed:
        path /= SUBFOLDER
        listed = entries(path, FOLDER)
    if not _in_order(listed):
        _refuse(listed)
        raise DataError(
            f"{path}: no training images; looked for data_batch_1.bin and so on, here and in {SUBFOLDER}; the folder "
            f"holds {join_names(file.name for file in listed)}"
        )
    return listed


def _in_order(files: Iterable[Path]) -> list[Path]:
    """Return the training batches sorted by number: batch 10 comes after batch 9."""
    batches = [(int(match[1]), file) for file in files if (match := TRAIN.fullmatch(file.name))]
    return [file for _, file in sorted(batches)]


def _refuse(files: list[Path]) -> None:
    """Explain what to do with unsupported versions of CIFAR-10.

    Raises:
        DataError: One of the ``files`` is of such a version.
    """
    if any(file.name in ("train.bin", "cifar-100-binary") for file in files):
        raise DataError(f"{files[0].parent} is in the form of CIFAR-100; read it by `source: cifar100`")
    for file in files:
        if PACKED.fullmatch(file.name):
            raise DataError(f"{file} is an archive; unpack it, and give the folder {SUBFOLDER} that comes out")
    for file in files:
        if PYTHON.fullmatch(file.name):
            raise DataError(
                f"{file}: this is the Python version of CIFAR-10, whose files are pickles, and those can run code; get "
                "the binary version, cifar-10-binary.tar.gz, and unpack it"
            )


def read(files: list[Path], classes: int, form: RecordFormat = CIFAR10) -> Arrays:
    """Read and concatenate the batches ``files``.

    Raises:
        DataError: A batch is malformed, or has a label outside the ``classes``.
    """
    counts = [_count(file, form) for file in files]
    images = np.empty((sum(counts), *SHAPE), np.uint8)
    labels = np.empty(sum(counts), np.uint8)
    start = 0
    for file, count in zip(files, counts, strict=True):
        part = slice(start, start + count)
        _read_batch(file, images[part], labels[part], classes, form)
        start += count
    names = files[0].name if len(files) == 1 else f"{files[0].name} to {files[-1].name}"
    return Arrays(images, labels, names, names)


def _count(file: Path, form: RecordFormat) -> int:
    """Return the number of records of a batch, by its size."""
    size = _size(file)
    count, rest = divmod(size, form.record)
    if rest:
        raise DataError(
            f"{file} holds {size:,} bytes, but a batch of the binary version of {form.data_set} is a row of "
            f"records of {form.record:,} bytes; {rest:,} bytes are left over after {count:,} of them"
        )
    return count


def _size(file: Path) -> int:
    try:
        info = file.stat()
    except OSError as error:
        raise DataError(f"{file}: the file cannot be read: {error.strerror or error}") from None
    if not stat.S_ISREG(info.st_mode):
        raise DataError(f"{file} is not a file")
    if info.st_size == 0:
        raise DataError(f"{file} is empty")
    return info.st_size


def _read_batch(file: Path, images: Array, labels: Array, classes: int, form: RecordFormat) -> None:
    """Fill ``images`` (N, C, H, W) and ``labels`` (N,) from the N records of ``file``."""
    try:
        with open_regular(file) as stream:
            for start in range(0, len(labels), CHUNK):
                part = slice(start, start + CHUNK)
                content = stream.read(form.record * len(labels[part]))
                if len(content) < form.record * len(labels[part]):
                    raise DataError(f"{file} became shorter while it was read")
                records = np.frombuffer(content, np.uint8).reshape(-1, form.record)
                labels[part] = records[:, form.label_index]
                images[part] = records[:, form.labels :].reshape(-1, *SHAPE)
    except OSError as error:
        raise DataError(f"{file}: the file cannot be read: {error.strerror or error}") from None
    outside = np.flatnonzero(labels >= classes)
    if outside.size:
        raise DataError(
            f"{file} holds the label {labels[outside[0]]} in record {outside[0]:,} (counted from 0), but the classes "
            f"are 0 to {classes - 1}"
        )


def read_names(file: Path) -> tuple[str, ...]:
    """Read the class names; empty lines are skipped.

    Raises:
        DataError: The file is too large, is not text, or names no class.
    """
    size = _size(file)
    if size > MAX_NAMES:
        raise DataError(
            f"{file} holds {size:,} bytes; the names of the classes, one a line, are {MAX_NAMES:,} bytes at most"
        )
    try:
        with open_regular(file) as stream:
            lines = stream.read(MAX_NAMES).decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not text in UTF-8, as the names of the classes must be: byte {error.start:,} is not"
        ) from None
    except OSError as error:
        raise DataError(f"{file}: the file cannot be read: {error.strerror or error}") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise DataError(f"{file} names no class; write one name a line, or leave the file out")
    return to_class_names(names, str(file))
