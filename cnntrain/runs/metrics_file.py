"""Reading metrics.jsonl, and writing metrics.csv."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from cnntrain.runs.folder import METRICS_FILE, METRICS_TABLE
from cnntrain.storage import lines_of, write_text

MAX_ROWS, MAX_BYTES = 500_000, 100_000_000
"""Maximum number of lines and bytes: a hundred times those of a long run."""


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run folder's metrics.jsonl as mappings; no lines if there is no such file.

    Raises:
        ValueError: A line is not a JSON object, or there are too many.
        OSError: The file cannot be read.
    """
    path, rows, size = folder / METRICS_FILE, list[dict[str, Any]](), 0
    try:
        for line in lines_of(path):
            row, size = json.loads(line.decode("utf-8")), size + len(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {len(rows) + 1} of {path.name} is not a JSON object")
            if len(rows) == MAX_ROWS or size > MAX_BYTES:
                raise ValueError(f"{path.name} has more than {MAX_ROWS:,} lines or {MAX_BYTES:,} bytes")
            rows.append(row)
    except FileNotFoundError:
        return []
    return rows


def write_metrics_table(folder: Path) -> None:
    """Write the lines of metrics.jsonl to metrics.csv: one column per key, empty where a value is null.

    Raises:
        ValueError: See ``read_metrics``.
        OSError: A file cannot be read or written.
    """
    rows = read_metrics(folder)
    if not rows:
        return
    table = io.StringIO()
    writer = csv.DictWriter(table, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / METRICS_TABLE, table.getvalue())
