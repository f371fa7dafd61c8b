"""Reading metrics.jsonl, and writing metrics.csv."""

import csv
import errno
import io
import json
from collections.abc import Collection
from pathlib import Path

from cnntrain.errors import reason_of
from cnntrain.runs.folder import METRICS_FILE, METRICS_TABLE
from cnntrain.runs.history import History
from cnntrain.storage import lines_of, write_file

MAX_ROWS, MAX_NAMES = 4_000_000, 16
"""Maximum number of lines, and of different figures in them."""


def read_metrics(folder: Path, without: Collection[str] = ()) -> History:
    """Return the lines of a run folder's metrics.jsonl; no lines if there is no such file.

    Args:
        folder: The run folder.
        without: Names of figures to leave out.

    Raises:
        ValueError: A line is not a JSON object of numbers.
        OSError: The file cannot be read, or is too long.
    """
    path, history = folder / METRICS_FILE, History()
    try:
        for line in lines_of(path):
            row = json.loads(line.decode("utf-8"))
            if not isinstance(row, dict):
                raise ValueError(f"line {len(history) + 1} of {path.name} is not a JSON object")
            history.add({name: value for name, value in row.items() if name not in without} if without else row)
            if len(history) > MAX_ROWS or len(history.names) > MAX_NAMES:
                what = f"at most {MAX_ROWS:,} lines are read, and {MAX_NAMES} different figures in them"
                raise OSError(errno.EFBIG, what, str(path))
    except FileNotFoundError:
        pass
    return history


def read_history(folder: Path) -> tuple[History, list[str]]:
    """Return the lines of a run folder's metrics.jsonl, and a warning if they cannot be read."""
    try:
        return read_metrics(folder), []
    except (OSError, ValueError, RecursionError) as error:
        left_out = "metrics.csv and the learning curves are left out"
        return History(), [f"{folder / METRICS_FILE} cannot be read, so {left_out}: {reason_of(error)}"]


def write_metrics_table(folder: Path, history: History) -> None:
    """Write metrics to metrics.csv: one column per figure, empty where a value is missing.

    Raises:
        OSError: The file cannot be written.
    """
    if history:
        table = io.BytesIO()
        with io.TextIOWrapper(table, "utf-8", newline="") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(history.names)
            writer.writerows(history.table())
            text.flush()
            write_file(folder / METRICS_TABLE, table.getvalue())
