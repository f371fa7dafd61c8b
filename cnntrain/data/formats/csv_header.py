"""Detects whether the first line of a CSV file is a header."""

import re
from collections.abc import Sequence

REPEATED = re.compile(r"(\d+)\.(\d+)")


def number(text: str) -> float | None:
    """Parse a cell as a number; None if it is not one."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def header_of(first: Sequence[str], second: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the column names, or None if the first line is a sample.

    A line of text is a header. So is a line of consecutive numbers, as pandas writes for a table without names:
    0, 1, 2, ...; and a line whose repeated values have running suffixes, as pandas writes after reading a sample as
    names: 0, 0.1, 0.2, ... A line of numbers with little text is a sample with a text label.

    Args:
        first: Cells of the first line.
        second: Cells of the second line, if any.
    """
    texts = [i for i, cell in enumerate(first) if cell and number(cell) is None]
    numbers = [cell for cell in first if cell and number(cell) is not None]
    if not numbers or counts(numbers, 2 if texts or len(numbers) < len(first) else 3) or is_mangled(numbers):
        return tuple(first) if texts or numbers else None
    if 2 * len(texts) < len(first) or second is None:
        return None
    below = [second[i] for i in texts if i < len(second)]
    return tuple(first) if any(number(cell) is not None for cell in below) else None


def counts(cells: Sequence[str], least: int) -> bool:
    """Return whether at least ``least`` cells count up from 0, or at least 5 count up from 1."""
    numbers = [number(cell) for cell in cells]
    start = numbers[0]
    return (
        start in (0, 1)
        and len(numbers) >= (least if start == 0 else 5)
        and numbers == [start + i for i in range(len(numbers))]
    )


def is_mangled(cells: Sequence[str]) -> bool:
    """Return whether most values are repetitions with a suffix as pandas adds: ``0.1``, ``0.2``."""
    times: dict[str, int] = {}
    repeated = 0
    for cell in cells:
        match = REPEATED.fullmatch(cell)
        if match and times.get(match[1]) == int(match[2]) - 1:
            times[match[1]] += 1
            repeated += 1
        elif cell.isdigit() and cell not in times:
            times[cell] = 0
        else:
            return False
    return repeated >= 2 and 2 * repeated >= len(cells)
