"""The result of a trial, from its run folder.

The figures of a trial are those of ``best.safetensors``: of the epoch with the lowest validation loss, or with the
highest accuracy if ``training.best_by`` says so. Its value is therefore that of weights which can be used.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cnntrain.config import load_config
from cnntrain.errors import CnntrainError, UsageError
from cnntrain.runs.compare import flatten
from cnntrain.runs.folder import CONFIG_FILE, METRICS_FILE, SUMMARY_FILE
from cnntrain.runs.history import History
from cnntrain.storage import lines_of, read_file

FINISHED = ("max", "epsilon", "patience")
"""Why a run ends that needs no more epochs."""
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class TrialResult:
    """How good a trial is after some epochs, the best of them counted."""

    epochs: int
    """Completed epochs."""
    best_epoch: int
    """The one whose weights are in best.safetensors, of which the figures are."""
    validation_loss: float
    validation_accuracy: float
    is_finished: bool
    """Whether the trial ended, and does not only wait for a comparison."""

    def value(self, metric: str) -> float:
        """Return ``validation.loss`` or ``validation.accuracy``."""
        return self.validation_loss if metric == "validation.loss" else self.validation_accuracy

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Return the result for what ``to_json`` returned."""
        return cls(**content)


def read_result(folder: Path, epochs: int | None, best_by: str = "loss") -> TrialResult | None:
    """Return the result of a trial after ``epochs`` epochs, None if it has not completed them.

    Args:
        folder: Its run folder, which may not exist yet.
        epochs: Epochs after which trials are compared; None for the end of training.
        best_by: ``training.best_by``.
    """
    is_finished = read_stop(folder) in FINISHED
    if epochs is None and not is_finished:
        return None
    rows = read_rows(folder, epochs)
    if not rows or not (is_finished or len(rows) == epochs):
        return None
    by_loss = best_by == "loss"
    best = min(rows, key=lambda row: row["validation_loss"] if by_loss else 1 - row["validation_accuracy"])
    return TrialResult(
        epochs=len(rows),
        best_epoch=best["epoch"],
        validation_loss=best["validation_loss"],
        validation_accuracy=best["validation_accuracy"],
        is_finished=is_finished and (epochs is None or len(rows) < epochs),
    )


def read_stop(folder: Path) -> str | None:
    """Return why the run in a folder ended; None if it has not ended."""
    try:
        stop = json.loads(read_file(folder / SUMMARY_FILE, MAX_BYTES))["stop"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stop if isinstance(stop, str) else None


def read_rows(folder: Path, count: int | None) -> History:
    """Return the first lines of metrics.jsonl, those of whole epochs; a process may be writing the last one."""
    rows = History()
    try:
        for line in lines_of(folder / METRICS_FILE):
            if not line.endswith(b"\n") or len(rows) == count:
                break
            rows.add(json.loads(line))
    except (OSError, ValueError, AttributeError):  # no JSON object
        return rows
    return rows


def check_same_values(folder: Path, values: dict[str, Any]) -> None:
    """Check that the run in a folder is the trial with these values.

    Raises:
        UsageError: It is another one.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        return
    try:
        config = flatten(load_config(path).resolved())
    except CnntrainError as error:
        raise UsageError(f"{path}: this trial cannot be continued: {str(error).splitlines()[0]}") from None
    for key, value in values.items():
        if key in config and config[key] != value:
            raise UsageError(
                f"{folder}: this run is not the trial of this sweep: its {key} is {json.dumps(config[key])}, not "
                f"{json.dumps(value)}; move the folder away"
            )
