"""A table of runs: the result of each, and the differences of their configs."""

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
from cnntrain.runs.columns import csv_text, order, values_of
from cnntrain.runs.folder import CHECKPOINT_FILE, CONFIG_FILE, ENVIRONMENT_FILE, METRICS_FILE, RUN_MARKERS, SUMMARY_FILE
from cnntrain.runs.seeds import seed_groups
from cnntrain.storage import lines_of, read_file
from cnntrain.weights import weights

MAX_NUMBER = 1e30
"""Larger numbers cannot be results of a run and are ignored, except losses."""
MAX_ROLLBACKS = 100
MAX_JSON_BYTES = 1_000_000
"""Maximum size of summary.json and environment.json."""


def list_runs(folders: Sequence[str | Path] = ("runs",), sort: str | None = None) -> dict[str, Any]:
    """Return all runs, and how their configs differ if at least two are named: what ``cnntrain runs --json`` prints.

    Args:
        folders: Run folders, or folders of run folders.
        sort: A figure or config key to sort by, see ``cnntrain.runs.columns``; by default runs keep their order.

    Raises:
        UsageError: A folder does not exist or contains no run, or no run has the key.
    """
    runs, configs = read_runs(folders, sort)
    are_named = len(runs) > 1 and all(is_run(Path(folder)) for folder in folders)
    return {
        "runs": runs,
        "differences": config_differences(configs) if are_named else None,
        "seeds": seed_groups(runs, configs),
    }


def runs_as_csv(folders: Sequence[str | Path] = ("runs",), sort: str | None = None) -> str:
    """Return all runs as CSV, with the config keys in which they differ; see ``list_runs``."""
    runs, configs = read_runs(folders, sort)
    return csv_text(runs, configs, config_differences(configs))


def read_runs(folders: Sequence[str | Path], sort: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return descriptions of runs, and their flattened configs; see ``list_runs``."""
    runs = [describe(path) for folder in folders for path in run_folders(Path(folder))]
    configs = [run.pop("config") for run in runs]
    if sort is None:
        return runs, configs
    indices = order(sort, runs, configs)
    key = sort.removeprefix("-")
    for run, value in zip(runs, values_of(key, runs, configs), strict=True):
        run["sorted_by"] = {key: value}
    return [runs[index] for index in indices], [configs[index] for index in indices]


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run, or the remains of one."""
    return any(os.path.exists(folder / marker) for marker in RUN_MARKERS)


def run_folders(folder: Path) -> list[Path]:
    """Return ``folder`` if it is a run, otherwise its subfolders, sorted by name and number; of a sweep its trials.

    Raises:
        UsageError: See ``list_runs``.
    """
    if is_run(folder):
        return [folder]
    if (folder / "sweep.yaml").is_file() and (folder / "trials").is_dir():
        folder /= "trials"
    try:
        subfolders = [path for path in folder.iterdir() if os.path.isdir(path) and not path.name.startswith(".")]
    except NotADirectoryError:
        raise UsageError(f"{folder}: this is a file, not a folder of runs") from None
    except OSError as error:
        if folder.is_symlink():
            raise UsageError(f"{folder}: this is a link that leads nowhere") from None
        raise UsageError(
            f"{folder}: no runs found: {error.strerror or error}; 'cnntrain train' creates the first one"
        ) from None
    if not any(is_run(path) or is_unreadable(path) for path in subfolders):
        raise UsageError(f"{folder}: no runs found in this folder; 'cnntrain train' creates the first one")
    return sorted(subfolders, key=_order)


def is_unreadable(folder: Path) -> bool:
    """Return whether this process has no permission to list a folder."""
    return not os.access(folder, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def describe(folder: Path) -> dict[str, Any]:
    """Return the result of a run. ``problem`` names unreadable files, and ``config`` is flattened.

    ``stop`` is None for a run that is still running or was killed.
    """
    problems: list[str] = []
    config = _config(folder, problems)
    summary = _json(folder / SUMMARY_FILE, problems)
    counts = _numbers(summary)
    rollbacks = counts.get("rollbacks") if summary else _rollbacks(folder)
    metrics = _metrics(folder, problems, _numbers(summary.get("best")).get("epoch"))
    started = _json(folder / ENVIRONMENT_FILE, problems).get("started")
    if not is_run(folder):
        problems = ["this folder cannot be read" if is_unreadable(folder) else "this folder holds no run"]
    return {
        "run": str(folder),
        "source": config.get("data.source"),
        "stop": summary["stop"] if isinstance(summary.get("stop"), str) else None,
        "epochs": int(counts.get("epochs", metrics.lines)),
        "best": metrics.best,
        **{split: _numbers(summary.get(split)) or None for split in ("train", "validation", "test")},
        "seconds": counts.get("seconds", metrics.seconds),
        "rollbacks": rollbacks,
        "alpha_factor": counts.get("alpha_factor", None if rollbacks is None else 0.5**rollbacks),
        "started": started if isinstance(started, str) else _modified(folder),
        "problem": "; ".join(problems) or None,
        "config": config,
    }


@dataclass
class MetricsSummary:
    """Summary of metrics.jsonl, which is read line by line."""

    lines: int = 0
    seconds: float = 0.0
    best_epoch: int | float | None = None
    """Best epoch according to summary.json; None if unknown: then the epoch with the lowest loss is the best."""
    best: dict[str, Any] | None = None
    """Line of the best epoch."""

    def add(self, row: dict[str, Any]) -> None:
        """Add a line."""
        self.lines += 1
        self.seconds += row.get("seconds", 0)
        if self.best_epoch is not None:
            is_best = row.get("epoch") == self.best_epoch
        else:
            is_best = self.best is None or _loss(row) < _loss(self.best)
        if is_best:
            self.best = row


def config_differences(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the keys whose values differ between flattened configs, with the values; None for a missing key."""
    keys = sorted(dict.fromkeys(key for config in configs for key in config), key=_section)
    values = {key: [config.get(key) for config in configs] for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings, and lists of mappings, to dotted keys: ``{"network.layers.0.conv.K": 8}``."""
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = enumerate(value)
    else:
        return {prefix: value}
    return {
        key: item
        for name, inner in items
        for key, item in flatten(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def _config(folder: Path, problems: list[str]) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if os.path.exists(path) and not os.path.isfile(path):  # reading from a pipe could block forever
        problems.append(f"{path.name} is not a file")
        return {}
    try:
        return flatten(load_config(path).resolved())
    except CnntrainError as error:
        problems.append(str(error).splitlines()[0].removeprefix(f"{folder}{os.sep}"))
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror or error}")
    return {}


def _loss(row: dict[str, Any]) -> float:
    values = (row.get(key) for key in ("monitor_loss", "validation_loss", "train_loss"))
    return float(next((value for value in values if value is not None), math.inf))


def _metrics(folder: Path, problems: list[str], best: int | float | None) -> MetricsSummary:
    """Return a summary of metrics.jsonl; the last line may be incomplete while the run is running."""
    metrics, faulty = MetricsSummary(best_epoch=best), 0
    try:
        for number, line in enumerate(lines_of(folder / METRICS_FILE), start=1):
            try:
                row = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                is_other = best is not None and row.get("epoch") != best  # only its duration counts
                metrics.add(_numbers({"seconds": row.get("seconds")} if is_other else row))
            elif line.endswith(b"\n"):
                faulty = faulty or number
    except FileNotFoundError:
        pass
    except OSError as error:
        problems.append(f"{METRICS_FILE} cannot be read: {error.strerror or error}")
    if faulty:
        problems.append(f"{METRICS_FILE}:{faulty}: not a JSON object")
    return metrics


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path, MAX_JSON_BYTES).decode("utf-8"))
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
    """Return the finite numbers of a mapping; the file may have been edited."""
    items = content.items() if isinstance(content, dict) else ()
    limits = {True: math.inf, False: MAX_NUMBER}
    return {
        key: value
        for key, value in items
        if type(value) in (int, float) and abs(value) < limits[str(key).endswith("loss")]
    }


def _rollbacks(folder: Path) -> int | None:
    """Return how often an unfinished run has rolled back, according to its last checkpoint."""
    try:
        _, about = weights.read_metadata(folder / CHECKPOINT_FILE)
        count = about[weights.CHECKPOINT]["progress"]["rollbacks"]
    except (CnntrainError, OSError, KeyError, TypeError):
        return None
    return count if type(count) is int and 0 <= count <= MAX_ROLLBACKS else None


def _modified(folder: Path) -> str | None:
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime).astimezone().isoformat(timespec="seconds")
    except (OSError, ValueError, OverflowError):
        return None


def _section(key: str) -> tuple[str, int]:
    """Sort key: ``data``, then ``network`` layer by layer, then ``training``."""
    section, *rest = key.split(".")
    return section, int(rest[1]) + 1 if rest[:1] == ["layers"] and len(rest) > 1 else 0


def _order(path: Path) -> tuple[str, int, str]:
    """Sort key: ``a-2`` before ``a-10``."""
    stem, _, number = path.name.rpartition("-")
    return (stem, int(number), "") if stem and number.isdecimal() and len(number) < 10 else (path.name, 0, "")
