"""A confusion matrix as a table, where it fits."""

from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from cnntrain.cli.views.tables import plain_table
from cnntrain.cli.views.truncate import truncate

SHORT = 5
"""Columns of a class name that may stand above a column."""
LEAST_LABEL = 16
"""Columns that row names get at least."""


def confusion_table(result: dict[str, Any], width: int) -> Table | None:
    """True classes in rows, predicted ones in columns; None if it does not fit ``width``.

    Columns are named where names are short, otherwise numbered as the rows then are.
    """
    confusion, names = result["confusion"], result["classes"]
    if confusion is None:
        return None
    short = max(map(cell_len, names)) <= SHORT
    heads = names if short else [str(place) for place in range(len(names))]
    numbered = len(heads[-1]) + 1
    longest = max(map(cell_len, names)) + (0 if short else numbered)
    cells = [[f"{count:,}" for count in row] for row in confusion]
    column = max(max(map(cell_len, heads)), *(len(cell) for row in cells for cell in row))
    for gap in (3, 2, 1):
        left = width - (column + gap) * len(names)
        if left >= min(longest, LEAST_LABEL):
            break
    else:
        return None
    table = plain_table(gap)
    table.add_column("", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True, min_width=column)
    for i, name in enumerate(names):
        label = truncate(name, left) if short else f"{i:>{numbered - 1}} {truncate(name, left - numbered)}"
        table.add_row(Text(label, "bold"), *(_cell(cells[i][j], i == j) for j in range(len(names))))
    return table


def _cell(count: str, right: bool) -> Text:
    return Text("·", "dim") if count == "0" else Text(count, "bold green" if right else "yellow")
