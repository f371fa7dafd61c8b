"""Whether the first line of a CSV file holds the names of its columns."""

import re
from collections.abc import Sequence

REPEATED = re.compile(r"(\d+)\.(\d+)")


def number(text: str) -> float | None:
    """The number that a cell holds, if it is one."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def header_of(first: Sequence[str], second: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names of the columns, or None if the first line is a sample.

    A line of text is a header. So is one whose numbers only count the columns, as pandas writes it for a table without
    names: 0, 1, 2, ...; and one of values with running numbers behind those that repeat, as pandas writes it where it
    read a sample as names: 0, 0.1, 0.2, ... A line of numbers with little text is a sample whose label is text.

    Args:
        first: The cells of the first line.
        second: Those of the second, if there is one.
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
    """Whether there are ``least`` cells or more, and they count from 0, or from 1 on to 5 at least."""
    numbers = [number(cell) for cell in cells]
    start = numbers[0]
    return (
        start in (0, 1)
        and len(numbers) >= (least if start == 0 else 5)
        and numbers == [start + i for i in range(len(numbers))]
    )


def is_mangled(cells: Sequence[str]) -> bool:
    """Whether values that repeat are followed by a point and how often they did, and most values are."""
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
