"""Numbers, matrices, tables and sentences in lines of at most 80 columns, where Chinese letters take two."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from cnntrain.cli.views.tables import COLUMNS

GAP = 3
"""Columns between two matrices."""
OPENING = tuple("（“《(")
CLOSING = (*"），。；：、”》…).,;: ", "")
"""What a line does not begin with; the end of a text is one of them, so that it is no piece of its own."""


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Text]:
    """Yield a table; numbers to the right, the last column whole."""
    widths = [max(cell_len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for bold, row in ((True, heads), *((False, row) for row in rows)):
        cells = [
            pad(cell, width, i == 0 or is_number(cell)) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield Text("  ".join(cells).rstrip(), "bold" if bold else "")


def is_number(text: str) -> bool:
    """Return whether a cell is a number, which is aligned to the right."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def pad(text: str, width: int, right: bool = False) -> str:
    """Return ``text`` in ``width`` columns of a terminal, where Chinese letters take two."""
    space = " " * max(0, width - cell_len(text))
    return space + text if right else text + space


def matrix_lines(matrix: dict[str, Any], name: str) -> list[str]:
    """Return a matrix under its name, as lines of one width; marked values have a star."""
    values, marked = matrix["values"], {tuple(at) for at in matrix["marked"]}
    form = form_of([value for row in values for value in row])
    cells = [
        [
            ("0" if value == 0 else form.format(value)) + ("*" if (r, c) in marked else " ")
            for c, value in enumerate(row)
        ]
        for r, row in enumerate(values)
    ]
    width = max(len(cell) for row in cells for cell in row)
    lines = [" ".join(cell.rjust(width) for cell in row) for row in cells]
    longest = max(map(cell_len, (name, *lines)))
    return [pad(line, longest) for line in (name, *lines)]


def form_of(values: Sequence[float]) -> str:
    """Return a format with four digits for the largest of the values."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest < 1e4 and all(value == int(value) for value in values if math.isfinite(value)):
        return "{:.0f}"
    if largest and not 1e-3 <= largest < 1e4:
        return "{:.2e}"
    return f"{{:.{4 - max(1, len(str(int(largest))))}f}}" if largest >= 10 else "{:.3f}" if largest >= 1 else "{:.4f}"


def side_by_side(blocks: Sequence[list[str]]) -> Iterator[Text]:
    """Yield blocks of lines next to each other, as many as fit in 80 columns."""
    line: list[list[str]] = []
    for block in [*blocks, None]:
        width = sum(cell_len(placed[0]) + GAP for placed in line) + (cell_len(block[0]) if block else 0) + 2
        if line and (block is None or width > COLUMNS):
            height = max(map(len, line))
            for i in range(height):
                cells = [placed[i] if i < len(placed) else " " * cell_len(placed[0]) for placed in line]
                yield Text("  " + (" " * GAP).join(cells).rstrip(), "cyan" if i == 0 else "")
            line = []
        if block is not None:
            line.append(block)


def number(value: float) -> str:
    """Return a number with four digits."""
    return "0" if value == 0 else f"{value:.4g}"


def product(term: Sequence[float]) -> str:
    """Return the factors of a term; negative ones in parentheses."""
    return "·".join(f"({number(value)})" if value < 0 else number(value) for value in term)


def wrapped(text: str, style: str, indent: int = 0) -> Iterator[Text]:
    """Yield a text in lines of at most 80 columns, broken at spaces, or between Chinese letters."""
    line, space = " " * indent, " " * (indent + 2)
    for word in pieces(text):
        if cell_len(line) + cell_len(word.rstrip()) > COLUMNS and line.strip():
            yield Text(line.rstrip(), style)
            line = space
        line += word
    if line.strip():
        yield Text(line.rstrip(), style)


def pieces(text: str) -> Iterator[str]:
    """Yield the pieces between which a line may be broken: no line begins with a comma, or ends with a parenthesis."""
    piece = ""
    for character, following in zip(text, [*text[1:], ""], strict=True):
        piece += character
        wide = 2 in (cell_len(character), cell_len(following))
        if character == " " or (wide and character not in OPENING and following not in CLOSING):
            yield piece
            piece = ""
    if piece:
        yield piece
