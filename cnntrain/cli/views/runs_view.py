"""What ``cnntrain runs`` shows: one line per run, or runs side by side."""

import json
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from cnntrain.cli.views.tables import add_columns, plain_table, truncate
from cnntrain.cli.views.training_text import accuracy_text, duration, loss_text, rollbacks_text

MAX_WIDTH = 160
"""Columns that are used in a file or a pipe, where nothing sets a limit."""
MIN_NAME_LENGTH = 12
"""Columns that names of runs get at least, in a list of them."""
SHOWN = {"run", "source", "stop", "epochs", "validation.accuracy", "test.accuracy", "seconds", "started"}
"""Keys to sort by that the list of runs shows anyway."""
MAX_NAMES = 6
"""Names of runs in a group, at most."""
MIN_WIDTH = 14
"""Columns that each run gets at least beside others."""


def show(result: dict[str, Any], console: Console) -> None:
    """Print what ``cnntrain.runs.compare.runs`` gave."""
    width = min(console.width, MAX_WIDTH)
    runs = result["runs"]
    if result["differences"] is None:
        console.print(runs_table(runs, width))
        for name, run in zip(_names(runs), runs, strict=True):
            if run.get("rollbacks"):
                console.print(f"{name}: {rollbacks_text(run)}", markup=False, highlight=False, soft_wrap=True)
        if any(run["stop"] is None and not run["problem"] for run in runs):
            console.print("unfinished: still running, or killed")
        print_seeds(result, console)
        return
    rows = comparison(result)
    keys = min(max(map(cell_len, rows)), 36)
    block = max(1, (width - keys) // (MIN_WIDTH + 3))
    for first in range(0, len(runs), block):
        if first:
            console.print()
        console.print(_side_by_side(rows, runs, slice(first, first + block), keys, width))
    print_seeds(result, console)


def print_seeds(result: dict[str, Any], console: Console) -> None:
    """Print mean and standard deviation of the runs that differ only by seed."""
    names = dict(zip((run["run"] for run in result["runs"]), _names(result["runs"]), strict=True))
    groups = result.get("seeds") or ()
    for group in groups:
        listed = ", ".join(names[run] for run in group["runs"][:MAX_NAMES])
        more = len(group["runs"]) - MAX_NAMES
        console.print()
        console.print(
            f"{len(group['runs'])} runs that differ only by seed: {listed}{f' and {more} more' if more > 0 else ''}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        for split in ("validation", "test"):
            parts = []
            if accuracy := group.get(f"{split}_accuracy"):
                parts.append(f"accuracy {100 * accuracy['mean']:.2f} ± {100 * accuracy['std']:.2f} %")
            if loss := group.get(f"{split}_loss"):
                parts.append(f"loss {loss['mean']:.4f} ± {loss['std']:.4f}")
            if parts:
                console.print(f"   {split:<10}  {', '.join(parts)}", markup=False, highlight=False, soft_wrap=True)
    if groups:
        console.print("± is the standard deviation", markup=False, highlight=False)


def runs_table(runs: list[dict[str, Any]], width: int) -> Table:
    """Return a table with one row per run; names of runs get the remaining columns."""
    heads = ["source", "stopped", "epochs", "best val.", "test", "time", "day"]
    rows = [_cells(run) for run in runs]
    key = next((key for run in runs for key in run.get("sorted_by", ()) if key not in SHOWN), None)
    if key is not None:  # what the runs are sorted by
        heads.append(truncate(key, MIN_WIDTH + 10))
        for run, row in zip(runs, rows, strict=True):
            row.append(truncate(_number(run["sorted_by"][key]), MIN_WIDTH))
    for gap, longest_source in ((2, 14), (1, 8)):
        cells = [[truncate(row[0], longest_source), *row[1:]] for row in rows]
        left = width - sum(max(map(cell_len, column)) + gap for column in zip(heads, *cells, strict=True))
        if left >= MIN_NAME_LENGTH:
            break
    table = plain_table(gap)
    add_columns(table, "left", "run", *heads[:2])
    add_columns(table, "right", *heads[2:])
    for name, row in zip(_names(runs), cells, strict=True):
        table.add_row(truncate(name, max(left, MIN_NAME_LENGTH)), *row)
    return table


def _cells(run: dict[str, Any]) -> list[str]:
    best = run["best"] or {}
    seconds = run["seconds"]
    return [
        run["source"] or "-",
        _stop(run),
        f"{run['epochs']:,}",
        accuracy_text(best.get("validation_accuracy")),
        accuracy_text((run["test"] or {}).get("accuracy")),
        f"{seconds:.1f} s" if seconds < 60 else duration(seconds),
        (run["started"] or "-")[:10],
    ]


def comparison(result: dict[str, Any]) -> dict[str, list[str]]:
    """Rows of the table that sets runs side by side: keys of the config that differ, then how the runs went."""
    runs = result["runs"]
    rows = {key: [_value(value) for value in values] for key, values in result["differences"].items()}
    rolled_back = {
        "rollbacks": [_value(run.get("rollbacks")) for run in runs],
        "alpha left by rollbacks": [_value(run.get("alpha_factor")) for run in runs],
    }
    bests, tests = [run["best"] or {} for run in runs], [run["test"] or {} for run in runs]
    return rows | {
        "stopped": [_stop(run) for run in runs],
        "epochs": [f"{run['epochs']:,}" for run in runs],
        **(rolled_back if any(run.get("rollbacks") for run in runs) else {}),
        "best epoch": [_value(best.get("epoch")) for best in bests],
        "its validation loss": [loss_text(best.get("validation_loss")) for best in bests],
        "its validation accuracy": [accuracy_text(best.get("validation_accuracy")) for best in bests],
        "test loss": [loss_text(test.get("loss")) for test in tests],
        "test accuracy": [accuracy_text(test.get("accuracy")) for test in tests],
        "time": [_cells(run)[5] for run in runs],
    }


def _side_by_side(rows: dict[str, list[str]], runs: list[dict[str, Any]], part: slice, keys: int, width: int) -> Table:
    table = plain_table()
    add_columns(table, "left", "")
    count = len(runs[part])
    side = max(MIN_WIDTH, (width - keys) // count - 3)
    for name in _names(runs)[part]:
        table.add_column(truncate(name, side), justify="right", no_wrap=True)
    for key, cells in rows.items():
        if key == "stopped":
            table.add_row()
        table.add_row(truncate(key, keys), *(truncate(cell, side) for cell in cells[part]))
    return table


def _names(runs: list[dict[str, Any]]) -> list[str]:
    """Return the names of the folders, or their paths where names are not unique."""
    names = [Path(run["run"]).absolute().name for run in runs]
    return names if len(set(names)) == len(names) else [run["run"] for run in runs]


def _stop(run: dict[str, Any]) -> str:
    return truncate(run["stop"] or ("broken" if run["problem"] else "unfinished"), 11)


def _value(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _value(value)
