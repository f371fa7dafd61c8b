"""What a run has recorded: its config, checkpoints, metrics, weights and versions. Nothing is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.config import Config
from cnntrain.errors import CnntrainError, UsageError, WeightsError, reason_of
from cnntrain.runs.compare import describe, is_run
from cnntrain.runs.folder import BEST_FILE, CHECKPOINT_FILE, METRICS_FILE, PREVIOUS_FILE, WEIGHTS_FILE
from cnntrain.runs.history import History
from cnntrain.runs.metrics_file import read_metrics
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.verify import position_of
from cnntrain.types import Array
from cnntrain.weights import weights

TIMES = ("seconds",)
"""Keys of metrics.jsonl that differ between identical runs."""


@dataclass
class RecordedRun:
    """The files of a run folder."""

    folder: Path
    checkpoints: list[Checkpoint]
    """One or two, the newest first."""
    metrics: History
    """Lines of metrics.jsonl without times, up to the newest checkpoint or beyond it."""
    stop: str | None
    """Why it ended; None for a run that is still running or was killed."""

    @property
    def newest(self) -> Checkpoint:
        """The newest intact checkpoint."""
        return self.checkpoints[0]

    @property
    def config(self) -> Config:
        """The config of the newest checkpoint."""
        return self.newest.config

    @property
    def end(self) -> tuple[int, int]:
        """The current epoch and its completed batches at the newest checkpoint."""
        return position_of(self.newest.state)

    def saved(self, name: str) -> dict[str, Array] | None:
        """Return the state in a weights file of the folder; None if there is none."""
        path = self.folder / name
        return weights.load_saved(path).network.state() if path.exists() else None


def read_run(folder: Path) -> RecordedRun:
    """Read a run folder.

    Raises:
        UsageError: It is no run folder, or there is no checkpoint to compare.
        WeightsError: No checkpoint is intact.
    """
    if folder.suffix == ".safetensors" and folder.is_file():
        raise UsageError(f"{folder}: a weights file has no history; name the run folder")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such run folder; 'cnntrain train' creates one")
    if not is_run(folder):
        raise UsageError(f"{folder}: this folder holds no run")
    found, problems = [], []
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        if (folder / name).exists():
            try:
                found.append(checkpoints.load(folder / name))
            except WeightsError as error:
                problems.append(str(error))
    if not found:
        if problems:
            raise WeightsError(problems[0])
        raise UsageError(f"{folder}: this run has no checkpoint, so its steps cannot be repeated and compared")
    try:
        metrics = read_metrics(folder, without=TIMES)
    except (ValueError, OSError) as error:
        raise UsageError(f"{folder / METRICS_FILE}: {reason_of(error)}") from error
    return RecordedRun(folder, found, metrics, describe(folder)["stop"])


def first_differing_epoch(a: RecordedRun, b: RecordedRun) -> dict[str, Any] | None:
    """Return the first figure in metrics.jsonl that differs: ``epoch``, ``key`` and ``values``; None if none does."""
    for row_a, row_b in zip(a.metrics, b.metrics, strict=False):
        for key in row_a:
            if row_a[key] != row_b.get(key):
                return {"epoch": row_a.get("epoch"), "key": key, "values": [row_a[key], row_b.get(key)]}
    return None


def same_bits(one: Array | None, other: Array | None) -> bool:
    """Return whether two arrays have the same type, shape and bits."""
    if one is None or other is None:
        return one is other
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return np.array_equal(np.ascontiguousarray(one).view(np.uint8), np.ascontiguousarray(other).view(np.uint8))


def same_state(one: Checkpoint, other: Checkpoint) -> bool:
    """Return whether two checkpoints continue with the same bits, given the same config and data."""
    counts = [checkpoint.state.to_json() | {"seconds": ""} for checkpoint in (one, other)]
    arrays = [(c.theta, c.states, c.best, c.state.before) for c in (one, other)]
    return counts[0] == counts[1] and all(same_bits(x, y) for x, y in zip(*arrays, strict=True))


def differing_file(a: RecordedRun, b: RecordedRun) -> str | None:
    """Return the first weights file whose tensors differ between two runs; None if none does.

    Raises:
        WeightsError: A file is damaged.
    """
    for name in (WEIGHTS_FILE, BEST_FILE):
        try:
            states = [run.saved(name) for run in (a, b)]
        except CnntrainError as error:
            raise WeightsError(str(error)) from error
        one, other = states
        if one is None or other is None:
            continue
        for key in one:
            if not same_bits(one[key], other.get(key)):
                return f"{name}: {key}"
    return None
