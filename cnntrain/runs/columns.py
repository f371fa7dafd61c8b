"""Runs as rows of a table: sorted by a figure or a key of the config, and as CSV."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from cnntrain.errors import UsageError

FIGURES: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "source": ("source",),
    "stop": ("stop",),
    "epochs": ("epochs",),
    "best.epoch": ("best", "epoch"),
    "validation.loss": ("best", "validation_loss"),
    "validation.accuracy": ("best", "validation_accuracy"),
    "train.loss": ("train", "loss"),
    "train.accuracy": ("train", "accuracy"),
    "test.loss": ("test", "loss"),
    "test.accuracy": ("test", "accuracy"),
    "seconds": ("seconds",),
    "rollbacks": ("rollbacks",),
    "started": ("started",),
}
"""Name of a figure -> where it is in the description of a run; those of validation are of the best epoch."""


def figure(run: dict[str, Any], name: str) -> Any:
    """Return a figure of a run, None if it has none."""
    value: Any = run
    for step in FIGURES[name]:
        value = None if value is None else value.get(step)
    return value


def values_of(key: str, runs: Sequence[dict[str, Any]], configs: Sequence[dict[str, Any]]) -> list[Any]:
    """Return a figure or the value of a config key for each run.

    Raises:
        UsageError: No run has it.
    """
    if key in FIGURES:
        return [figure(run, key) for run in runs]
    for name in (key, f"network.{key}"):  # layers.0.conv.K
        if any(name in config for config in configs):
            return [config.get(name) for config in configs]
    raise UsageError(
        f"--sort {key}: no run has this key; it is one of {', '.join(FIGURES)}, or a key of the config such as "
        "training.alpha"
    )


def order(key: str, runs: Sequence[dict[str, Any]], configs: Sequence[dict[str, Any]]) -> list[int]:
    """Return the indices of the runs in the order of a key; of accuracies the highest comes first.

    Args:
        key: See ``values_of``; a ``-`` before it reverses the order.
        runs: Descriptions of runs.
        configs: Their flattened configs.

    Raises:
        UsageError: No run has the key.
    """
    name = key.removeprefix("-")
    values = values_of(name, runs, configs)
    known = [index for index, value in enumerate(values) if value is not None]
    reverse = name.endswith("accuracy") != key.startswith("-")
    is_number = all(isinstance(values[index], int | float) for index in known)
    ranked = sorted(
        known[::-1] if reverse else known,  # so that of equals the first stays first
        key=lambda index: values[index] if is_number else cell_text(values[index]),
    )
    ranked = ranked[::-1] if reverse else ranked
    return [*ranked, *(index for index, value in enumerate(values) if value is None)]


def csv_text(
    runs: Sequence[dict[str, Any]], configs: Sequence[dict[str, Any]], differences: dict[str, list[Any]]
) -> str:
    """Return a table of runs as CSV, with the config keys that differ."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([*FIGURES, "problem", *differences])
    for run, config in zip(runs, configs, strict=True):
        cells = [*(figure(run, name) for name in FIGURES), run["problem"], *(config.get(key) for key in differences)]
        writer.writerow([cell_text(cell) for cell in cells])
    return table.getvalue()


def cell_text(value: Any) -> str:
    """Return a value of a table: nothing if there is none, lists and truth values as JSON."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)
