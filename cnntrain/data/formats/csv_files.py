"""``source: csv``: images as lines of numbers, a label and then every pixel, as Kaggle has them.

::

    label,pixel0,pixel1,...,pixel783
    5,0,0,...,0

The header may be missing. Pixels are whole numbers in 0..255, or fractions in 0..1, in the order of ``shape``:
channel by channel, each row by row.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Arrays, SettledSplits, Splits, assemble
from cnntrain.data.folder import entries
from cnntrain.data.formats.csv_text import READ_ERRORS, CsvText, open_csv
from cnntrain.data.listing import listing
from cnntrain.data.pixels import Scale
from cnntrain.data.watching import SILENT, Watch
from cnntrain.errors import DataError
from cnntrain.types import Array

FILE_NAME = re.compile(r"((?:.*[-_.])?)(train|test)\.csv(?:\.gz)?", re.IGNORECASE | re.DOTALL)
FOLDER = "`source: csv` reads a .csv file, or a folder with train.csv and test.csv"
LABEL_NAMES = ("label", "class", "target")
"""A column of such a name holds the labels, wherever it is, unless the config says otherwise."""


def load(
    path: Path,
    shape: tuple[int, int, int] | None = None,
    label: int | str | None = None,
    watch: Watch = SILENT,
    scale: Scale | None = None,
) -> Splits | SettledSplits:
    """Read a file of training samples, or a folder with ``train.csv`` and perhaps ``test.csv``.

    Args:
        path: The file or folder; files may be gzipped, and have more in front of ``train`` and ``test``.
        shape: (C, H, W) of an image; by default grey and square.
        label: The column of the labels: its name, or its place (-1 is the last); by default the one that a header
            calls ``label``, or else the first.
        watch: Who is told how far it is.
        scale: As for ``assemble``.

    Raises:
        DataError: A file is missing or malformed.
    """
    files = {"train": path} if path.is_file() else _find(path)
    train = _Table(files["train"], label, watch)
    shape = shape or train.square()
    test = _Table(files["test"], label, watch, beside=train) if "test" in files else None
    if test is not None and test.is_unlabelled:
        watch.note(f"{test.path} has one column less than {train.path}: without labels it cannot be a test split")
        test = None
    kind = np.result_type(train.pixels, *([] if test is None else [test.pixels]))
    if scale is not None and scale.floats:  # text has no types: whole numbers may be fractions that are 0 and 1
        kind = np.dtype(np.float32)
    tested = None if test is None else test.arrays(shape, kind)
    return assemble(str(path), train.arrays(shape, kind), tested, scale=scale)


def _find(folder: Path) -> dict[str, Path]:
    """The files of a folder by split."""
    found: dict[str, list[Path]] = {}
    listed = entries(folder, FOLDER)
    for file in listed:
        match = FILE_NAME.fullmatch(file.name)
        if match and file.is_file():
            found.setdefault(match[2].lower(), []).append(file)
    for split, files in found.items():
        if len(files) > 1:
            raise DataError(
                f"{folder} holds {listing(file.name for file in files)}, and only one can be the {split} "
                "split; give the file, or move the others away"
            )
    if "train" not in found:
        raise DataError(
            f"{folder}: no training samples; looked for train.csv, also gzipped or with a prefix such as mnist_; the "
            f"folder holds {listing(file.name for file in listed)}"
        )
    return {split: files[0] for split, files in found.items()}


class _Table:
    """The labels and pixels of one file.

    Args:
        path: The file.
        label: The column of the labels.
        watch: Who is told how far it is.
        beside: The training samples, where this is the test: it may have no labels.
    """

    def __init__(self, path: Path, label: int | str | None, watch: Watch, beside: "_Table | None" = None) -> None:
        self.path = path
        self.is_unlabelled = False
        try:
            with open_csv(path) as stream:
                text = CsvText(path, stream)
                self.columns = text.columns
                if beside is not None and text.columns == beside.columns - 1:
                    self.is_unlabelled = True
                    return
                if text.columns < 2:
                    raise DataError(f"{path} has one value a line; a label and pixels are needed, separated by commas")
                place = _label_column(text, label)
                self.labels, self.pixels = self._read(text, place, watch)
        except READ_ERRORS as error:
            raise DataError(f"{path}: the gzip file is damaged: {error}") from None
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from None

    def _read(self, text: CsvText, place: int, watch: Watch) -> tuple[NDArray[np.float64], Array]:
        """Labels (N,), and pixels (N, columns - 1): uint8 if all are whole."""
        labels: list[NDArray[np.float64]] = []
        parts: list[Array] = []
        rows, largest, fraction = 0, (0.0, 0), (0.0, 0)
        for values, lines in text.blocks():
            labels.append(values[:, place].copy())
            pixels = np.delete(values, place, axis=1)
            self._check_range(pixels, lines)
            odd = pixels != np.rint(pixels)
            if odd.any() and not fraction[1]:
                row = int(odd.any(axis=1).argmax())
                fraction = float(pixels[odd][0]), lines[row]
            if pixels.max() > largest[0]:
                row = int(pixels.max(axis=1).argmax())
                largest = float(pixels.max()), lines[row]
            parts.append(pixels.astype(np.float32 if odd.any() else np.uint8))
            rows += len(lines)
            watch.progress(rows, 0, f"reading {self.path.name}")
        if not parts:
            raise DataError(f"{self.path} holds a header, and no samples")
        if fraction[1] and largest[0] > 1:
            raise DataError(
                f"{self.path}: line {fraction[1]:,} holds the pixel {fraction[0]:g} and line {largest[1]:,} the pixel "
                f"{largest[0]:g}; pixels are either whole numbers in 0..255 or fractions in 0..1"
            )
        return np.concatenate(labels), np.concatenate(parts)

    def _check_range(self, pixels: NDArray[np.float64], lines: Sequence[int]) -> None:
        outside = ((pixels < 0) | (pixels > 255)).any(axis=1)
        if outside.any():
            row = int(outside.argmax())
            wrong = pixels[row][(pixels[row] < 0) | (pixels[row] > 255)][0]
            raise DataError(
                f"{self.path}: line {lines[row]:,} holds the pixel {wrong:g}; pixels are whole numbers in 0..255 or "
                "fractions in 0..1"
            )

    def square(self) -> tuple[int, int, int]:
        """(1, H, H) of an image."""
        pixels = self.columns - 1
        side = math.isqrt(pixels)
        if side * side != pixels or side == 0:
            raise DataError(
                f"{self.path} has {pixels:,} pixels a line, which make no square; write data.shape: [C, H, W], the "
                "channels, rows and columns of an image"
            )
        return 1, side, side

    def arrays(self, shape: tuple[int, int, int], kind: np.dtype[np.generic]) -> Arrays:
        """What ``assemble`` takes; pixels become ``kind``."""
        if math.prod(shape) != self.columns - 1:
            raise DataError(
                f"{self.path} has {self.columns - 1:,} pixels a line, but data.shape: {list(shape)} has "
                f"{math.prod(shape):,}"
            )
        pixels = self.pixels.reshape(-1, *shape)
        return Arrays(pixels.astype(kind, copy=False), self.labels, self.path.name, f"{self.path.name}, its labels,")


def _label_column(text: CsvText, label: int | str | None) -> int:
    """The place of the labels' column."""
    names = text.header
    if label is None:
        lower = [name.lower() for name in names or ()]
        return next((lower.index(name) for name in LABEL_NAMES if name in lower), 0)
    if isinstance(label, str):
        if names is None:
            raise DataError(
                f"{text.path} has no header, and so no column {label!r}; give its place, such as data.label=0"
            )
        if label not in names:
            raise DataError(f"{text.path} has no column {label!r}; its header names {listing(names)}")
        return names.index(label)
    if not -text.columns <= label < text.columns:
        raise DataError(f"{text.path} has {text.columns:,} columns, and so no column {label}")
    return label % text.columns
