"""What lies in run folders: how each run went, and in what runs differ."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cnntrain.config import load_config
from cnntrain.errors import CnntrainError, UsageError, reason_of
from cnntrain.storage import lines_of, read_file

MARKS = ("config.yaml", "summary.json", "metrics.jsonl", "weights.safetensors")
"""Files of which each makes a folder a run."""
MAX_BYTES = 1e30
"""Numbers beyond this are none that a run has come to."""
MAX_COUNT = 1_000_000
"""Bytes of summary.json and environment.json, at most."""


def list_runs(folders: Sequence[str | Path] = ("runs",)) -> dict[str, Any]:
    """Return what ``cnntrain list_runs --json`` prints: every run, and where at least two are named, their differences.

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
    return any(os.path.exists(folder / mark) for mark in MARKS)


def run_folders(folder: Path) -> list[Path]:
    """Return ``folder`` if it is a run, otherwise the folders in it, in the order of their names and numbers.

    Raises:
        UsageError: See ``list_runs``.
    """
    if is_run(folder):
        return [folder]
    try:
        found = [path for path in folder.iterdir() if os.path.isdir(path) and not path.name.startswith(".")]
    except NotADirectoryError:
        raise UsageError(f"{folder}: this is a file; what is needed is a folder of runs") from None
    except OSError as error:
        raise UsageError(
            f"{folder}: there are no runs here: {error.strerror or error}; cnntrain train makes the first"
        ) from None
    if not any(is_run(path) or is_closed(path) for path in found):
        raise UsageError(f"{folder}: there are no runs in this folder; cnntrain train makes the first")
    return sorted(found, key=_order)


def is_closed(folder: Path) -> bool:
    """Return whether this process may not look into a folder."""
    return not os.access(folder, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def describe(folder: Path) -> dict[str, Any]:
    """Return how a run went; ``problem`` says what of it cannot be read, and ``config`` is flat.

    ``stop`` is None for a run without an end, which still runs or was killed; ``rollbacks`` is None, too.
    """
    problems: list[str] = []
    config = _config(folder, problems)
    summary = _json(folder / "summary.json", problems)
    counts = _numbers(summary)
    metrics = _metrics(folder, problems, _numbers(summary.get("best")).get("epoch"))
    started = _json(folder / "environment.json", problems).get("started")
    if not is_run(folder):
        problems = ["this folder cannot be read" if is_closed(folder) else "this folder holds no run"]
    return {
        "run": str(folder),
        "source": config.get("data.source"),
        "stop": summary["stop"] if isinstance(summary.get("stop"), str) else None,
        "epochs": int(counts.get("epochs", metrics.lines)),
        "best": metrics.best,
        **{split: _numbers(summary.get(split)) or None for split in ("train", "validation", "test")},
        "seconds": counts.get("seconds", metrics.seconds),
        "rollbacks": counts.get("rollbacks"),
        "alpha_factor": counts.get("alpha_factor"),
        "started": started if isinstance(started, str) else _changed(folder),
        "problem": "; ".join(problems) or None,
        "config": config,
    }


@dataclass
class MetricsSummary:
    """What is known of a run from its metrics.jsonl, of which a line at a time is held."""

    lines: int = 0
    seconds: float = 0.0
    best_epoch: int | float | None = None
    """The best as summary.json names it; None where it does not: the one with the least loss so far."""
    best: dict[str, Any] | None = None
    """Its line."""

    def add(self, row: dict[str, Any]) -> None:
        """Note one more line."""
        self.lines += 1
        self.seconds += row.get("seconds", 0)
        if self.best_epoch is not None:
            is_best = row.get("epoch") == self.best_epoch
        else:
            is_best = self.best is None or _loss(row) < _loss(self.best)
        if is_best:
            self.best = row


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
    path = folder / "config.yaml"
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe could wait for ever
        problems.append(f"{path.name} is not a file")
        return {}
    try:
        return flat(load_config(path).resolved())
    except CnntrainError as error:
        problems.append(str(error).splitlines()[0].removeprefix(f"{folder}{os.sep}"))
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror or error}")
    return {}


def _loss(row: dict[str, Any]) -> float:
    values = (row.get(key) for key in ("monitor_loss", "validation_loss", "train_loss"))
    return float(next((value for value in values if value is not None), math.inf))


def _metrics(folder: Path, problems: list[str], best: int | float | None) -> MetricsSummary:
    """The lines of metrics.jsonl; the last may be half written while the run goes on."""
    found, faulty = MetricsSummary(best_epoch=best), 0
    try:
        for number, line in enumerate(lines_of(folder / "metrics.jsonl"), start=1):
            try:
                row = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                found.add(_numbers(row))
            elif line.endswith(b"\n"):
                faulty = faulty or number
    except FileNotFoundError:
        pass
    except OSError as error:
        problems.append(f"metrics.jsonl cannot be read: {error.strerror or error}")
    if faulty:
        problems.append(f"metrics.jsonl:{faulty}: not a JSON object")
    return found


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path, MAX_COUNT).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read: {reason_of(error)}")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{path.name} is not a JSON object")
        return {}
    return content


def _numbers(content: Any) -> dict[str, Any]:
    """What of a mapping is a finite number: anybody may have changed the file."""
    items = content.items() if isinstance(content, dict) else ()
    return {key: value for key, value in items if type(value) in (int, float) and abs(value) < MAX_BYTES}


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
