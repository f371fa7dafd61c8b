"""``source: csv``: one image per line, a label and all pixels, as on Kaggle.

::

    label,pixel0,pixel1,...,pixel783
    5,0,0,...,0

The header is optional. Labels are integers or text. Pixels are integers in 0..255, or fractions in 0..1, in the
order of ``shape``: channel by channel, each row by row.
"""

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Arrays, PredefinedSplits, Splits, assemble
from cnntrain.data.folder import entries
from cnntrain.data.formats.csv_columns import Columns, fits, match_columns, settle, some
from cnntrain.data.formats.csv_edges import edges
from cnntrain.data.formats.csv_header import number
from cnntrain.data.formats.csv_lines import READ_ERRORS, Lines, open_csv
from cnntrain.data.formats.csv_text import SURROGATE, CsvText
from cnntrain.data.labels import MAX_CLASSES, MAX_NAME, TextLabels
from cnntrain.data.names import join_names
from cnntrain.data.pixels import Scale
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import DataError, reason_of
from cnntrain.types import Array

FILE_NAME = re.compile(r"((?:.*[-_.])?)(train|test|validation|valid|val|dev)\.csv(?:\.gz)?", re.IGNORECASE | re.DOTALL)
SPLITS = {"train": "train", "test": "test"}
"""Split by file name; the other names mean validation."""
FOLDER = "`source: csv` reads a .csv file, or a folder with train.csv and perhaps validation.csv and test.csv"


def load(
    path: Path,
    shape: tuple[int, int, int] | None = None,
    label: int | str | None = None,
    reporter: ProgressReporter = NO_PROGRESS,
    scale: Scale | None = None,
) -> Splits | PredefinedSplits:
    """Read a file of training samples, or a folder with ``train.csv`` and optional validation and test files.

    Args:
        path: The file or folder; files may be gzipped, and names may have a prefix.
        shape: (C, H, W) of an image; by default gray and square.
        label: The label column: its name or index (-1 is the last); by default it is detected.
        reporter: Receives the progress.
        scale: As in ``assemble``.

    Raises:
        DataError: A file is missing or malformed, or the label column is ambiguous.
    """
    files = {"train": path} if path.exists() and not path.is_dir() else _find(path)
    train = _Table(files["train"], reporter, label=label, shape=shape)
    tables = {"train": train}
    for split in files.keys() - {"train"}:
        table = _Table(files[split], reporter, train=train)
        if table.is_unlabelled:
            reporter.note(f"{table.path} is not used: without labels it cannot be a {split} split; {table.missing}")
        else:
            tables[split] = table
    shape = shape or train.square()
    kind = np.result_type(*(table.pixels for table in tables.values()))
    if scale is not None and scale.floats:  # text has no types: 0 and 1 may be fractions
        kind = np.dtype(np.float32)
    arrays = {split: table.arrays(shape, kind) for split, table in tables.items()}
    choices = list(train.columns.choices)
    if len(files) > 1:
        order = [split for split in ("train", "validation", "test") if split in tables]
        choices.insert(0, f"splits: {', '.join(f'{tables[split].path.name} as {split}' for split in order)}")
    validation = arrays.get("validation")
    return assemble(str(path), arrays["train"], arrays.get("test"), None, validation, tuple(choices), scale=scale)


def _find(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by split."""
    found: dict[str, list[Path]] = {}
    listed = entries(folder, FOLDER)
    for file in listed:
        match = FILE_NAME.fullmatch(file.name)
        if match and file.is_file():
            found.setdefault(SPLITS.get(match[2].lower(), "validation"), []).append(file)
    for split, files in found.items():
        if len(files) > 1:
            raise DataError(
                f"{folder} holds {join_names(file.name for file in files)}, and only one can be the {split} "
                "split; give the file, or move the others away"
            )
    if "train" not in found:
        raise DataError(
            f"{folder}: no training samples; looked for train.csv, also gzipped or with a prefix such as mnist_; the "
            f"folder holds {join_names(file.name for file in listed)}"
        )
    return {split: files[0] for split, files in found.items()}


class _Table:
    """The labels and pixels of one file.

    Args:
        path: The file.
        reporter: Receives the progress.
        label: The label column, if configured.
        shape: (C, H, W) of an image, if configured.
        train: The training samples, if this is another split: it has the same columns, or no labels.
    """

    def __init__(
        self,
        path: Path,
        reporter: ProgressReporter,
        label: int | str | None = None,
        shape: tuple[int, int, int] | None = None,
        train: "_Table | None" = None,
    ) -> None:
        self.path = path
        self.is_unlabelled = False
        try:
            with open_csv(path) as stream:
                text = CsvText(path, stream)
                self.width = text.columns
                if train is None:
                    columns = settle(text, label, shape, lambda begin: edges(path, begin))
                else:
                    known = train.label_cells
                    found = match_columns(train.columns, train.width, known, text, lambda begin: edges(path, begin))
                    self.is_unlabelled, columns = found is None, found or train.columns
                    self.missing = train.describe(text)
                self.columns: Columns = columns
                if train is None and shape is None:
                    self.square()
                if not self.is_unlabelled:
                    self.labels, self.pixels = self._read(text, reporter)
        except READ_ERRORS as error:
            raise DataError(f"{path}: the gzip file is damaged: {reason_of(error)}") from None
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from None

    def describe(self, other: CsvText) -> str:
        """Explain why another file has no labels."""
        if self.columns.names is not None and other.header is not None:
            name = self.columns.names[self.columns.label]
            return f"its header names {some(other.header)}, and no {name!r} as that of {self.path.name} does"
        return f"it has one column less than {self.path.name}"

    def _read(self, text: CsvText, reporter: ProgressReporter) -> tuple[Array | TextLabels, Array]:
        """Return labels (N,) and pixels (N, columns); uint8 if all are integers."""
        label, columns = self.columns.label, self.columns.pixels
        labels, content = _Labels(self.path, label), bytearray()
        kind: type[np.generic] = np.uint8
        rows, largest, fraction = 0, (0.0, 0), (0.0, 0)
        for values, cells, lines in text.blocks(columns, label):
            labels.add(cells, lines)
            self._check_range(values, lines)
            odd = values != np.rint(values)
            if odd.any() and not fraction[1]:
                row = int(odd.any(axis=1).argmax())
                fraction = float(values[odd][0]), lines.numbers[row]
                kind, content = np.float32, bytearray(np.frombuffer(content, np.uint8).astype(np.float32))
            if values.max() > largest[0]:
                row = int(values.max(axis=1).argmax())
                largest = float(values.max()), lines.numbers[row]
            if fraction[1] and largest[0] > 1:
                raise DataError(
                    f"{self.path}: line {fraction[1]:,} holds the pixel {fraction[0]:g} and line {largest[1]:,} the "
                    f"pixel {largest[0]:g}; pixels are either whole numbers in 0..255 or fractions in 0..1"
                )
            content += values.astype(kind).tobytes()
            rows += len(values)
            reporter.progress(rows, 0, f"reading {self.path.name}")
        if not rows:
            raise DataError(f"{self.path} holds a header, and no samples")
        self.label_cells = labels.cells()
        return labels.finish(), np.frombuffer(content, kind).reshape(rows, len(columns))

    def _check_range(self, pixels: NDArray[np.float64], lines: Lines) -> None:
        outside = ((pixels < 0) | (pixels > 255)).any(axis=1)
        if outside.any():
            row = int(outside.argmax())
            wrong = pixels[row][(pixels[row] < 0) | (pixels[row] > 255)][0]
            raise DataError(
                f"{self.path}: line {lines.numbers[row]:,} holds the pixel {wrong:g}; pixels are whole numbers in "
                "0..255 or fractions in 0..1"
            )

    def square(self) -> tuple[int, int, int]:
        """Return the shape (1, H, H) of a square image."""
        pixels = len(self.columns.pixels)
        if not fits(pixels, None):
            hint = f"; is there a column beside the label and {pixels - 1:,} pixels?" if fits(pixels - 1, None) else ""
            raise DataError(
                f"{self.path} has {pixels:,} pixels a line, which make no square{hint}; add 'data.shape=[C, H, W]', "
                "the channels, rows and columns of an image"
            )
        return 1, math.isqrt(pixels), math.isqrt(pixels)

    def arrays(self, shape: tuple[int, int, int], kind: np.dtype[np.generic]) -> Arrays:
        """Return the input of ``assemble``; pixels are converted to ``kind``."""
        pixels = len(self.columns.pixels)
        if math.prod(shape) != pixels:
            raise DataError(
                f"{self.path} has {pixels:,} pixels a line, but data.shape: {list(shape)} has {math.prod(shape):,}"
            )
        images = self.pixels.reshape(-1, *shape).astype(kind, copy=False)
        return Arrays(images, self.labels, self.path.name, f"{self.path.name}, its labels,")


class _Labels:
    """Collects labels, each distinct text once.

    Args:
        path: The file.
        column: The label column.
    """

    def __init__(self, path: Path, column: int) -> None:
        self._path, self._column = path, column
        self._codes: dict[str, int] = {}
        self._content = bytearray()

    def add(self, cells: list[str], lines: Lines) -> None:
        """Add the labels of some lines.

        Raises:
            DataError: A label is missing or too long, or there are too many distinct labels.
        """
        for cell in dict.fromkeys(cells):
            if cell in self._codes:
                continue
            if problem := self._problem(cell):
                where = f"{self._path}: line {lines.numbers[cells.index(cell)]:,}"
                raise DataError(f"{where} holds {problem}")
            self._codes[cell] = len(self._codes)
        self._content += np.array(list(map(self._codes.__getitem__, cells)), np.int32).tobytes()

    def _problem(self, cell: str) -> str | None:
        """Describe what is wrong with a new label."""
        value, column = number(cell), f"in column {self._column} (counted from 0)"
        if not cell or (value is not None and not math.isfinite(value)):
            return f"{repr(cell) if cell else 'nothing'} {column}, where its label must be"
        if SURROGATE.search(cell):
            return f"a label {column} that is not text in UTF-8; save the file as UTF-8"
        if len(cell) > MAX_NAME:
            return f"a label of {len(cell):,} characters {column}; {MAX_NAME} at most are read"
        if len(self._codes) >= MAX_CLASSES:
            return f"label number {MAX_CLASSES + 1:,} {column}; {MAX_CLASSES:,} different ones at most are read"
        return None

    def cells(self) -> frozenset[str]:
        """All labels as they are written."""
        return frozenset(self._codes)

    def finish(self) -> Array | TextLabels:
        """Return the labels, as numbers if all of them are."""
        codes = np.frombuffer(self._content, np.int32)
        values = [number(text) for text in self._codes]
        if None in values:
            return TextLabels(codes.astype(np.int64), tuple(self._codes))
        numbers = np.array(values, np.float64)
        is_whole = bool((np.abs(numbers) < 2**53).all() and (numbers == np.floor(numbers)).all())
        return (numbers.astype(np.int64) if is_whole else numbers)[codes]
