"""Numbers from a CSV file: read in blocks, in the memory of the numbers alone, with every fault told by its line.

The values of a line are separated by commas. A first line that is not all numbers is a header. The file may be gzipped.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.formats.unpacking import check_claim
from cnntrain.errors import DataError

BLOCK = 1 << 22
"""Bytes that are turned into numbers at a time."""
LONGEST_LINE = 1 << 24
"""Bytes."""
GZIP = b"\x1f\x8b"
NEWLINE = b"\n"


class Block(NamedTuple):
    """Some of the lines."""

    values: NDArray[np.float64]
    """(lines, columns)"""
    lines: list[int]
    """The number of each line in the file, counted from 1; empty lines are left out."""


class CsvText:
    """An open CSV file of numbers.

    Args:
        path: The file.
        stream: Its bytes, unpacked.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path = path
        self.header: tuple[str, ...] | None = None
        """The names of the columns, if the first line tells them."""
        self._lines = _numbered(stream, path)
        first = next(self._lines, None)
        if first is None:
            raise DataError(f"{path} is empty; `source: csv` reads lines such as 7,0,0,255")
        cells = [cell.strip().strip('"').strip() for cell in first[0][1].split(",")]
        self.columns = len(cells)
        if any(_number(cell) is None for cell in cells):
            self.header = tuple(cells)
            first = first[1:]
        self._first = first

    def blocks(self) -> Iterator[Block]:
        """The numbers, some lines at a time.

        Raises:
            DataError: A line has more or fewer values than the first, or one that is no finite number.
        """
        if self._first:
            yield self._block(self._first)
        for lines in self._lines:
            yield self._block(lines)

    def _block(self, lines: list[tuple[int, str]]) -> Block:
        numbers = [number for number, _ in lines]
        try:
            values = np.loadtxt(
                [line for _, line in lines], np.float64, comments=None, delimiter=",", quotechar='"', ndmin=2
            )
        except (ValueError, OverflowError):
            values = np.empty((0, 0))
        if values.shape != (len(lines), self.columns) or not np.isfinite(values).all():
            raise DataError(self._fault(lines))
        return Block(values, numbers)

    def _fault(self, lines: list[tuple[int, str]]) -> str:
        """What is wrong with the first line that is."""
        for number, line in lines:
            cells = line.split(",")
            where = f"{self.path}: line {number:,}"
            if len(cells) != self.columns:
                return f"{where} has {len(cells):,} values, but the first line has {self.columns:,}"
            for column, cell in enumerate(cells):
                value = _number(cell.strip().strip('"'))
                if value is None or not np.isfinite(value):
                    shown = repr(cell.strip()[:40]) if cell.strip() else "nothing"
                    return f"{where} holds {shown} in column {column} (counted from 0), where a number must be"
        return f"{self.path}: lines {lines[0][0]:,} to {lines[-1][0]:,} cannot be read as numbers"


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _numbered(stream: IO[bytes], path: Path) -> Iterator[list[tuple[int, str]]]:
    """The lines that are not empty, with their numbers, a block at a time."""
    packed, total = os.path.getsize(path), 0
    rest, number = b"", 0
    while True:
        chunk = stream.read(BLOCK)
        total += len(chunk)
        check_claim(str(path), total, max(packed, 1))
        begin, newline, end = (rest + chunk).rpartition(NEWLINE)
        if not chunk:
            begin, newline, end = rest, b"", b""
        if len(end) > LONGEST_LINE:
            raise DataError(
                f"{path}: line {number + (begin + newline).count(NEWLINE) + 1:,} is longer than {LONGEST_LINE:,} bytes"
            )
        rest = end
        if begin or newline:
            text = begin.decode("latin-1").removeprefix("ï»¿" if number == 0 else "")
            lines = text.split("\n")
            found = [(number + i, line) for i, line in enumerate(lines, start=1) if line.strip()]
            number += len(lines)
            if found:
                yield found
        if not chunk:
            return


@contextmanager
def open_csv(path: Path) -> Iterator[IO[bytes]]:
    """Context of a file's bytes; whether it is gzipped, its first bytes say."""
    with path.open("rb") as plain:
        packed = plain.read(2) == GZIP
        plain.seek(0)
        if not packed:
            yield plain
            return
        with gzip.open(plain) as unpacked:
            yield unpacked  # type: ignore[misc]


READ_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
"""What a damaged gzip file raises."""
