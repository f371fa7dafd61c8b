"""What lies in run folders: how each run went, and in what runs differ."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cnntrain.config import load_config
from cnntrain.errors import CnntrainError, UsageError

MARKS = ("config.yaml", "summary.json", "metrics.jsonl", "weights.safetensors")
"""Files of which each makes a folder a run."""
LARGEST = 1e30
"""Numbers beyond this are none that a run has come to."""


def runs(folders: Sequence[str | Path] = ("runs",)) -> dict[str, Any]:
    """Return what ``cnntrain runs --json`` prints: every run, and where at least two are named, their differences.

    Args:
        folders: Run folders, or folders of run folders.

    Raises:
        UsageError: A folder is not there, or holds no run.
    """
    paths = [path for folder in folders for path in run_folders(Path(folder))]
    told = [describe(path) for path in paths]
    named = len(paths) > 1 and all(is_run(Path(folder)) for folder in folders)
    differing = differences([of_run.pop("config") for of_run in told])
    return {"runs": told, "differences": differing if named else None}


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run, or what is left of one."""
    return any((folder / mark).exists() for mark in MARKS)


def run_folders(folder: Path) -> list[Path]:
    """Return ``folder`` if it is a run, otherwise the folders in it, in the order of their names and numbers.

    Raises:
        UsageError: See ``runs``.
    """
    if is_run(folder):
        return [folder]
    try:
        found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except NotADirectoryError:
        raise UsageError(f"{folder}: this is a file; what is needed is a folder of runs") from None
    except OSError as error:
        raise UsageError(
            f"{folder}: there are no runs here: {error.strerror or error}; cnntrain train makes the first"
        ) from None
    if not any(map(is_run, found)):
        raise UsageError(f"{folder}: there are no runs in this folder; cnntrain train makes the first")
    return sorted(found, key=_order)


def describe(folder: Path) -> dict[str, Any]:
    """Return how a run went; ``problem`` says what of it cannot be read, and ``config`` is flat.

    ``stop`` is None for a run without an end: it still runs, or was killed.
    """
    problems: list[str] = []
    config = _config(folder, problems)
    rows = _metrics(folder, problems)
    summary = _json(folder / "summary.json", problems)
    counts = _numbers(summary)
    started = _json(folder / "environment.json", problems).get("started")
    if not is_run(folder):
        problems = ["this folder holds no run"]
    return {
        "run": str(folder),
        "source": config.get("data.source"),
        "stop": summary["stop"] if isinstance(summary.get("stop"), str) else None,
        "iterations": int(counts.get("iterations", len(rows))),
        "best": best(rows),
        **{split: _numbers(summary.get(split)) or None for split in ("train", "validation", "test")},
        "seconds": counts.get("seconds", math.fsum(row.get("seconds", 0) for row in rows)),
        "started": started if isinstance(started, str) else _changed(folder),
        "problem": "; ".join(problems) or None,
        "config": config,
    }


def best(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the line of metrics.jsonl with the least validation loss, or training loss where there is no other."""

    def loss(row: dict[str, Any]) -> float:
        values = (row.get("validation_loss"), row.get("train_loss"))
        value = next((value for value in values if value is not None), math.inf)
        return float(value)

    return min(rows, key=loss, default=None)


def differences(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of each key in which flat configs differ; None where a config has no such key."""
    keys = sorted(dict.fromkeys(key for config in configs for key in config), key=_section)
    values = {key: [config.get(key) for config in configs] for key in keys}
    return {key: of_key for key, of_key in values.items() if any(value != of_key[0] for value in of_key)}


def flat(value: Any, place: str = "") -> dict[str, Any]:
    """Return nested mappings and lists of them as one mapping: ``{"network.layers.0.conv.K": 8}``."""
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = enumerate(value)
    else:
        return {place: value}
    return {
        key: item
        for name, inner in items
        for key, item in flat(inner, f"{place}.{name}" if place else str(name)).items()
    }


def _config(folder: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return flat(load_config(folder / "config.yaml").resolved())
    except CnntrainError as error:
        problems.append(str(error).splitlines()[0].removeprefix(f"{folder}{os.sep}"))
        return {}


def _metrics(folder: Path, problems: list[str]) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; the last may be half written while the run goes on."""
    try:
        lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        problems.append(f"metrics.jsonl cannot be read: {error}")
        return []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(_numbers(row))
        elif number < len(lines):
            problems.append(f"metrics.jsonl:{number}: not a JSON object")
    return rows


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{path.name} is not a JSON object")
        return {}
    return content


def _numbers(content: Any) -> dict[str, Any]:
    """What of a mapping is a finite number: anybody may have changed the file."""
    items = content.items() if isinstance(content, dict) else ()
    return {key: value for key, value in items if type(value) in (int, float) and abs(value) < LARGEST}


def _changed(folder: Path) -> str | None:
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime).astimezone().isoformat(timespec="seconds")
    except (OSError, ValueError, OverflowError):
        return None


def _section(key: str) -> tuple[str, int]:
    """Keys of ``data``, then of ``network``, layer by layer, then of ``training``."""
    section, *rest = key.split(".")
    return section, int(rest[1]) + 1 if rest[:1] == ["layers"] and len(rest) > 1 else 0


def _order(path: Path) -> tuple[str, int, str]:
    """``a-2`` comes before ``a-10``."""
    stem, _, number = path.name.rpartition("-")
    return (stem, int(number), "") if stem and number.isdecimal() and len(number) < 10 else (path.name, 0, "")
