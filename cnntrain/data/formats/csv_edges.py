"""The first and the last column of a CSV file: their values show which one holds the labels."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from cnntrain.data.formats.csv_header import number
from cnntrain.data.formats.csv_lines import open_csv
from cnntrain.data.formats.csv_text import CsvText
from cnntrain.data.labels import MAX_CLASSES
from cnntrain.errors import DataError

LABELS_MOST = 100
"""Values of a column that speak for labels, if they count from 0 or 1 with few gaps; more are shades as well."""
MOSTLY = 0.8
"""Share of one value: the pixels at the corners are mostly of one shade."""
TEXT = 10
"""How much a column of text speaks for labels: more than all else."""
FEW = 10
"""Lines, below which values prove nothing, and the first column holds the labels."""
LOOKED_AT = 1_000_000
"""Lines that are searched for where the labels are, at most."""


class Edges:
    """The values of the first and the last column of all lines, where the labels may be.

    Args:
        columns: The values of each, with how often they are there.
        brightest: The greatest value between them.
    """

    def __init__(self, columns: Sequence[Counter[str]], brightest: float) -> None:
        self._columns = columns
        self._brightest = brightest

    def decide(self, text: CsvText, begin: int) -> tuple[int, str]:
        """The column of the labels, ``begin`` or the last, and why where it is not clear.

        Raises:
            DataError: Both are as likely.
        """
        candidates = (begin, text.columns - 1)
        first, last = (self._score(one, other) for one, other in (self._columns, self._columns[::-1]))
        if len(self._columns[0]) == 1 and 0 < last < TEXT:
            corner = number(next(iter(self._columns[0]))) in (0, 255, self._brightest)
            if not (corner and self._evidence(self._columns[1])):
                first = last  # one label for all, or a corner of one shade: shades in the last column decide nothing
        if first == 0 or last == 0 or first != last:
            is_last = last > first
            return candidates[is_last], ", the last, as its values show" if is_last else ", the first"
        if self._columns[0].total() < FEW:
            return begin, ", the first"
        raise DataError(
            f"{text.path}: column {candidates[0]} and column {candidates[1]} could both hold the labels; add "
            f"data.label={candidates[0]} or data.label={candidates[1]}"
        )

    def check_place(self, text: CsvText, label: int, known: Collection[str]) -> None:
        """Check that labels are where those of the training samples are.

        Args:
            text: The open file.
            label: The column of the labels there.
            known: The labels there.

        Raises:
            DataError: This column cannot hold them, and the one at the other edge can.
        """
        last = text.columns - 1
        here, other = self._columns[:: -1 if label == last else 1]
        may_be = [len(column) > 1 and all(cell in known for cell in column) for column in (here, other)]
        if may_be == [False, True]:
            raise DataError(
                f"{text.path}: the training samples have their labels in column {label}, but here column "
                f"{0 if label == last else last} seems to hold them; put the columns in the same order, or give both "
                "files a header"
            )

    def _score(self, column: Counter[str], other: Counter[str]) -> int:
        """How much speaks for labels; 0: they cannot be."""
        values = [number(cell) for cell in column]
        numbers = [value for value in values if value is not None]
        texts = len(values) - len(numbers)
        if not numbers or (column.total() >= FEW and 4 * texts >= len(values)):  # fewer are pixels that are wrong
            return TEXT
        if len(column) < 2 or not all(value >= 0 and value == math.floor(value) for value in numbers if value < 1e9):
            return 0
        mostly = column.most_common(1)[0][1] > MOSTLY * column.total()
        return 1 + self._evidence(column) + 2 * (not mostly) + (2 * len(column) <= len(other))

    def _evidence(self, column: Counter[str]) -> int:
        """How much numbers speak for labels because they count, or are too great for pixels."""
        numbers = [value for cell in column if (value := number(cell)) is not None]
        start = min(numbers)
        gapless = start in (0, 1) and max(numbers) - start < 1.25 * len(set(numbers)) <= LABELS_MOST
        beyond = self._brightest >= 0 and sum(value > self._brightest for value in numbers) > 1
        return 2 * gapless + 3 * beyond


def edges(path: Path, begin: int) -> Edges:
    """Read the column ``begin`` and the last one of a file."""
    with open_csv(path) as stream:
        text = CsvText(path, stream)
        last = text.columns - 1
        between = [number(cell) for cells in text.sample for cell in cells[begin + 1 : last]]
        columns: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        looked_at = 0
        for lines in text.lines():
            for column, index in zip(columns, (begin, last), strict=True):
                if len(column) <= MAX_CLASSES:
                    column.update(text.column(lines, index))
            looked_at += len(lines.texts)
            if looked_at >= LOOKED_AT:
                break
        return Edges(columns, max((value for value in between if value is not None), default=-1))
