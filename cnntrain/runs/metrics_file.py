"""The lines of metrics.jsonl as mappings, all at once: for a table and for curves."""

import json
from pathlib import Path
from typing import Any

from cnntrain.storage import lines_of

MAX_ROWS, MAX_BYTES = 500_000, 100_000_000
"""Lines, and bytes of them, at most: a hundred times those of a long run."""


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl; none where there is no such file.

    Raises:
        ValueError: A line is not a JSON object, or there are too many.
        OSError: The file cannot be read.
    """
    rows: list[dict[str, Any]] = []
    size = 0
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
