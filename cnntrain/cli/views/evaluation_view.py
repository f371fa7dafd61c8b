"""What ``cnntrain eval`` shows: metrics, per-class metrics, the confusion matrix and the most confident errors."""

from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnntrain.cli.views.tables import add_columns, plain_table, truncate
from cnntrain.cli.views.training_text import accuracy_text, headline_text, loss_text

MAX_CLASSES = 100
"""Maximum number of classes with a line of their own."""
MAX_LINES = 10
"""Maximum number of errors, and of pairs of confused classes."""
MIN_NAME_LENGTH = 12
"""Columns that names of classes get at least."""
SHORT_NAME = 5
"""Columns of a class name that fits above a column."""
MIN_LABEL_LENGTH = 16
"""Columns that row names get at least."""
MAX_WIDTH = 120
"""Columns that are used in a file or a pipe, where nothing sets a limit."""


def show(result: dict[str, Any], console: Console) -> None:
    """Print the result of ``cnntrain.evaluate``; names are cut so that lines fit the console."""
    width = min(console.width, MAX_WIDTH)
    console.print(figures_table(result))
    console.print()
    rows = _class_rows(result)
    console.print(classes_table(result, rows[:MAX_CLASSES], width))
    if len(rows) > MAX_CLASSES:
        console.print(f"the {MAX_CLASSES} of {len(rows):,} classes with the lowest F1; --json has all")
    absent = len(result["classes"]) - len(rows)
    if absent:
        have = "class that has" if absent == 1 else "classes that have"
        console.print(f"{absent:,} more {have} no samples here and {'was' if absent == 1 else 'were'} never predicted")
    console.print()
    if result["mistakes"]:
        _show_mistakes(result, console, width)
    else:
        console.print("no mistakes")
    if result["plots"]:
        console.print()
        for path in result["plots"]:
            console.print(f"plot in {path}", soft_wrap=True)
    console.print()
    for line in [*(advice["text"] for advice in result["advice"]), headline_text(result["split"], result)]:
        console.print(Text(line))


def _show_mistakes(result: dict[str, Any], console: Console, width: int) -> None:
    matrix = confusion_table(result, width)
    if matrix is None:
        console.print("most frequent confusions", style="bold")
        console.print(confused_table(result, width))
    else:
        console.print("confusion matrix: true classes in rows, predicted classes in columns", style="bold")
        console.print(matrix)
    console.print()
    wrong, shown = result["samples"] - round(result["samples"] * result["accuracy"]), len(_shown(result))
    mistakes = "1 mistake" if wrong == 1 else f"{wrong:,} mistakes"
    console.print(mistakes if wrong == shown else f"the {shown} most confident of {mistakes}", style="bold")
    console.print(mistakes_table(result, width))


def _shown(result: dict[str, Any]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = result["mistakes"][:MAX_LINES]
    return shown


def figures_table(result: dict[str, Any]) -> Table:
    """Return a table of the metrics of the whole split."""
    table = plain_table()
    add_columns(table, "left", "split")
    add_columns(table, "right", "samples", "loss", "accuracy")
    row = [
        result["split"], f"{result['samples']:,}", loss_text(result["loss"]), accuracy_text(result["accuracy"]),
    ]  # fmt: skip
    if result["top_k"]:
        add_columns(table, "right", f"top-{result['top_k']['k']}")
        row.append(accuracy_text(result["top_k"]["accuracy"]))
    if result["calibration_error"] is not None:
        add_columns(table, "right", "calibration error")
        row.append(accuracy_text(result["calibration_error"]))
    table.add_row(*row)
    return table


def classes_table(result: dict[str, Any], rows: list[dict[str, Any]], width: int) -> Table:
    """A row for each class of ``rows``, then the averages."""
    table = plain_table()
    add_columns(table, "left", "class")
    add_columns(table, "right", "precision", "recall", "F1", "samples")
    for row in rows:
        table.add_row(truncate(row["class"], max(MIN_NAME_LENGTH, width - 45)), *_percents(row), f"{row['support']:,}")
    table.add_section()
    for kind in ("macro", "weighted"):
        table.add_row(f"{kind} average", *_percents(result[kind]), "", style="bold")
    return table


def confused_table(result: dict[str, Any], width: int) -> Table:
    """Return a table of the most frequently confused pairs of classes."""
    table = plain_table()
    add_columns(table, "right", "times")
    add_columns(table, "left", "class", "predicted")
    for pair in result["confused"][:MAX_LINES]:
        names = (truncate(pair[key], (width - 14) // 2) for key in ("true", "predicted"))
        table.add_row(f"{pair['samples']:,}", *names)
    return table


def mistakes_table(result: dict[str, Any], width: int) -> Table:
    """Return a table of the most confident errors."""
    mistakes = _shown(result)
    are_files, are_probabilities = mistakes[0]["file"] is not None, mistakes[0]["probability"] is not None
    table = plain_table()
    add_columns(table, "left" if are_files else "right", "file" if are_files else "sample")
    add_columns(table, "left", "class", "predicted")
    add_columns(table, "right", "probability" if are_probabilities else "output")
    side = (width - 21) // 4
    for row in mistakes:
        where = truncate(row["file"], width - 21 - 2 * side) if are_files else f"{row['sample']:,}"
        confidence = accuracy_text(row["probability"]) if are_probabilities else loss_text(row["output"])
        table.add_row(where, truncate(row["true"], side), truncate(row["predicted"], side), confidence)
    return table


def confusion_table(result: dict[str, Any], width: int) -> Table | None:
    """Return the confusion matrix as a table, true classes in rows; None if it is wider than ``width``.

    Columns are named where names are short, otherwise numbered as the rows then are.
    """
    confusion, names = result["confusion"], result["classes"]
    if confusion is None:
        return None
    short = max(map(cell_len, names)) <= SHORT_NAME
    heads = names if short else list(map(str, range(len(names))))
    numbered = len(heads[-1]) + 1
    longest = max(map(cell_len, names)) + (0 if short else numbered)
    cells = [[f"{count:,}" for count in row] for row in confusion]
    column = max(max(map(cell_len, heads)), *(len(cell) for row in cells for cell in row))
    for gap in (3, 2, 1):
        left = width - (column + gap) * len(names)
        if left >= min(longest, MIN_LABEL_LENGTH):
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


def _cell(count: str, correct: bool) -> Text:
    return Text("·", "dim") if count == "0" else Text(count, "bold green" if correct else "yellow")


def _class_rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics of all classes that have samples or predictions, lowest F1 first if there are very many."""
    rows = [row for row in result["per_class"] if row["f1"] is not None]
    if len(rows) <= MAX_CLASSES:
        return rows
    return sorted(rows, key=lambda row: row["f1"])


def _percents(row: dict[str, Any]) -> list[str]:
    return [accuracy_text(row[key]) for key in ("precision", "recall", "f1")]
