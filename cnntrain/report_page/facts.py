"""What a page about a run needs: its files, and an evaluation of its weights."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnntrain.builder import load_config_data
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import UsageError, reason_of
from cnntrain.evaluation.report import EvaluationReport, evaluate_network
from cnntrain.runs.compare import MAX_JSON_BYTES
from cnntrain.runs.folder import CONFIG_FILE, ENVIRONMENT_FILE, METRICS_FILE, ORIGINAL_FILE, SUMMARY_FILE
from cnntrain.runs.history import History
from cnntrain.runs.metrics_file import read_metrics
from cnntrain.storage import read_file
from cnntrain.weights import weights
from cnntrain.weights.weights import SavedNetwork

MAX_CONFIG_BYTES = 1_000_000
"""Maximum size of a config."""


@dataclass
class RunFacts:
    """The facts about a run."""

    folder: Path
    saved: SavedNetwork
    report: EvaluationReport
    """The evaluation on the test split; without one on validation, or else training samples."""
    samples: dict[str, int]
    """Number of samples of each split."""
    metrics: History
    summary: dict[str, Any]
    environment: dict[str, Any]
    config: str
    """The config as the user wrote it, or as the run resolved it."""


def read_facts(folder: Path, overrides: Sequence[str] = (), reporter: ProgressReporter = NO_PROGRESS) -> RunFacts:
    """Read a run folder, and evaluate its weights.

    Raises:
        UsageError: It is no run folder, or a file of it is malformed.
        WeightsError, DataError: Weights or data are missing or malformed.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such run folder; a report is about a whole run, not about a weights file")
    saved = weights.load_saved(folder, overrides)
    data = load_config_data(saved.config, folder, reporter, saved.preprocessing.scale)
    saved.check_fits(data)
    splits = {split: dataset for split, dataset in data.splits().items() if dataset is not None}
    split = next(split for split in ("test", "validation", "train") if split in splits)
    reporter.progress(0, 1, f"evaluating on {split}")
    report = evaluate_network(saved.network, split, splits[split], saved.preprocessing, saved.classes, saved.config)
    try:
        metrics = read_metrics(folder)
    except (ValueError, OSError) as error:
        raise UsageError(f"{folder / METRICS_FILE}: {reason_of(error)}") from error
    original = folder / ORIGINAL_FILE
    return RunFacts(
        folder=folder,
        saved=saved,
        report=report,
        samples={name: len(dataset) for name, dataset in splits.items()},
        metrics=metrics,
        summary=_json(folder / SUMMARY_FILE),
        environment=_json(folder / ENVIRONMENT_FILE),
        config=_text(original if original.exists() else folder / CONFIG_FILE),
    )


def _text(path: Path) -> str:
    try:
        return read_file(path, MAX_CONFIG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {reason_of(error)}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path, MAX_JSON_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {reason_of(error)}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: it is not a JSON object")
    return content
