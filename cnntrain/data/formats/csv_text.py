"""Cells and numbers of a CSV file, one block of lines at a time; errors name their line.

The separator is a comma, semicolon or tab, whichever the first lines agree on.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.formats.csv_header import header_of, number
from cnntrain.data.formats.csv_lines import LineReader, Lines
from cnntrain.errors import DataError

MAX_COLUMNS = 1_000_000
SAMPLE_LINES, SAMPLE_CELLS = 200, 1 << 18
"""Maximum number of lines and cells used to detect the columns."""
SEPARATORS = "\t;,"
SURROGATE = re.compile("[\udc80-\udcff]")
"""What a byte that is not UTF-8 becomes."""


class Block(NamedTuple):
    """The numbers and labels of some lines."""

    values: NDArray[np.float64]
    """(lines, pixels)"""
    labels: list[str]
    """Label cell of each line."""
    lines: Lines


class CsvText:
    """An open CSV file.

    Args:
        path: The file.
        stream: Its uncompressed bytes.

    Raises:
        DataError: The file is empty, is not text, or has too many columns.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path = path
        reader = LineReader(path, stream)
        self._blocks = iter(reader)
        head = Lines([], [])
        while len(head.texts) < 2 and (block := next(self._blocks, None)):
            head = Lines([*head.numbers, *block.numbers], [*head.texts, *block.texts])
        separator = _declared_separator(head.texts[0]) if head.texts else None
        head = head.after(1) if separator else head
        if not head.texts:
            raise DataError(f"{path} is empty; `source: csv` reads lines such as 7,0,0,255")
        self.separator = separator or _separator(head.texts)
        self._ends = self.separator * self._empty_columns(head.texts[:SAMPLE_LINES])
        widest = max(text.count(self.separator) for text in head.texts[:2]) + 1
        if widest > MAX_COLUMNS:
            raise DataError(f"{path} has {widest:,} columns; at most {MAX_COLUMNS:,} are read")
        first, *others = [self._cells(text) for text in head.texts[:2]]
        self.columns = len(first)
        self.header = header_of(first, others[0] if others else None)
        """Column names, if there is a header."""
        if self.header is not None:
            head = head.after(1)
            self.header = tuple(map(_as_latin_1, self.header))
        elif reader.comment.count(self.separator) + 1 == self.columns:  # a header by numpy.savetxt
            self.header = header_of(self._cells(reader.comment), first)
        self._head = head
        rows = min(SAMPLE_LINES, max(2, SAMPLE_CELLS // self.columns))
        self.sample = [self._checked(*line) for line in zip(head.numbers[:rows], head.texts[:rows], strict=True)]
        """Cells of the first lines below the header."""

    def lines(self) -> Iterator[Lines]:
        """Yield all lines below the header, in blocks."""
        if self._head.texts:
            yield self._head
        yield from self._blocks

    def blocks(self, pixels: list[int], label: int) -> Iterator[Block]:
        """Yield numbers and labels, one block of lines at a time.

        Args:
            pixels: Pixel columns.
            label: Label column.

        Raises:
            DataError: A line has more or fewer values than the first, or a value is not a finite number.
        """
        for lines in self.lines():
            labels = self.column(lines, label)
            try:
                values = np.loadtxt(
                    lines.texts,
                    np.float64,
                    comments=None,
                    delimiter=self.separator,
                    quotechar='"',
                    ndmin=2,
                    usecols=pixels,
                )
            except (ValueError, OverflowError):
                values = np.empty((0, 0))
            if values.shape != (len(lines.texts), len(pixels)) or not np.isfinite(values).all():
                raise DataError(self._fault(lines, pixels))
            yield Block(values, labels, lines)

    def column(self, lines: Lines, column: int) -> list[str]:
        """Return the values of one column.

        Raises:
            DataError: A line has more or fewer values than the first.
        """
        separator, after = self.separator, self.columns - 1 - column
        texts = [text.removesuffix(self._ends) for text in lines.texts] if self._ends else lines.texts
        counts = [text.count(separator) for text in texts]
        if min(counts) != max(counts) or counts[0] != self.columns - 1 or '"' in "".join(texts):
            return [self._checked(*line)[column] for line in zip(lines.numbers, lines.texts, strict=True)]
        if column <= after:
            cells = [text.split(separator, column + 1)[column] for text in texts]
        else:
            cells = [text.rsplit(separator, after + 1)[-after - 1] for text in texts]
        return list(map(str.strip, cells))

    def _cells(self, text: str) -> list[str]:
        """Split a line into values; strip blanks and quotes."""
        text = text.removesuffix(self._ends)
        if '"' not in text:
            return [cell.strip() for cell in text.split(self.separator)]
        try:
            return [cell.strip() for cell in next(csv.reader([text], delimiter=self.separator, skipinitialspace=True))]
        except csv.Error:
            return text.split(self.separator)

    def _checked(self, line: int, text: str) -> list[str]:
        """Split a line into values and check their number."""
        cells = self._cells(text)
        if len(cells) != self.columns:
            raise DataError(
                f"{self.path}: line {line:,} has {len(cells):,} values, but the first line has {self.columns:,}"
            )
        return cells

    def _fault(self, lines: Lines, pixels: list[int]) -> str:
        """Describe the first malformed line."""
        for line, text in zip(lines.numbers, lines.texts, strict=True):
            cells = self._checked(line, text)
            for column in pixels:
                value = number(cells[column])
                if value is None or not np.isfinite(value):
                    shown = repr(cells[column][:40]) if cells[column] else "nothing"
                    return (
                        f"{self.path}: line {line:,} holds {shown} in column {column} (counted from 0), where a number "
                        "must be"
                    )
        return f"{self.path}: lines {lines.numbers[0]:,} to {lines.numbers[-1]:,} cannot be read as numbers"

    def _empty_columns(self, head: list[str]) -> int:
        """Count the empty columns at the end of every line; a trailing comma makes one."""
        first, *others = head
        ends = min(len(text) - len(text.rstrip(self.separator)) for text in others or [first])
        if others and ends and len(first) - len(first.rstrip(self.separator)) < ends:
            wider = others[0].count(self.separator) - first.count(self.separator)
            return ends if wider == ends else 0  # otherwise the first line has a value there
        return ends


def _as_latin_1(name: str) -> str:
    """A column's name; bytes that are not UTF-8 are read as Latin-1."""
    return name.encode("utf-8", "surrogateescape").decode("latin-1") if SURROGATE.search(name) else name


def _declared_separator(line: str) -> str | None:
    """Return the separator declared for spreadsheets in the first line: ``sep=;``."""
    text = line.strip().strip('"')
    return text[4] if len(text) == 5 and text.lower().startswith("sep=") and text[4] in SEPARATORS else None


def _separator(head: list[str]) -> str:
    """Detect the separator that occurs equally often in the first lines."""
    for separator in SEPARATORS:
        counts = {text.rstrip(separator).count(separator) for text in head[:20]}
        if len(counts) == 1 and counts != {0}:
            return separator
    return next((separator for separator in ",;\t" if separator in head[0]), ",")
