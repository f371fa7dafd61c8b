"""Runs that differ only by seed: mean and standard deviation of their figures."""

import json
import statistics
from collections.abc import Sequence
from typing import Any

SEED = "training.seed"
NO_EFFECT = {SEED, "training.workers", "training.checkpoint_every", "training.tensorboard"}
"""Keys that do not make another config here: the seed, and those that do not change the result."""
FINISHED = ("max", "epsilon", "patience")
"""Why a run ends whose figures count."""
FIGURES = {
    "validation_loss": ("best", "validation_loss"),
    "validation_accuracy": ("best", "validation_accuracy"),
    "test_loss": ("test", "loss"),
    "test_accuracy": ("test", "accuracy"),
}
"""Name of a figure -> where it is in the description of a run."""


def seed_groups(runs: Sequence[dict[str, Any]], configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the groups of finished runs that differ only by seed, each with at least two seeds.

    Args:
        runs: Descriptions of runs, see ``cnntrain.runs.compare.describe``.
        configs: Their flattened configs.

    Returns:
        For each group ``runs``, ``seeds``, and for each figure that all of its runs have ``{"mean", "std"}``: the mean,
        and the sample standard deviation (divisor n - 1). Of runs with the same seed, one counts.
    """
    groups: dict[str, dict[int, dict[str, Any]]] = {}
    for run, config in zip(runs, configs, strict=True):
        if SEED in config and run["stop"] in FINISHED:
            rest = {key: value for key, value in config.items() if key not in NO_EFFECT}
            groups.setdefault(json.dumps(rest, sort_keys=True), {}).setdefault(config[SEED], run)
    return [summary(by_seed) for by_seed in groups.values() if len(by_seed) > 1]


def summary(by_seed: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return one group."""
    found: dict[str, Any] = {"runs": [run["run"] for run in by_seed.values()], "seeds": list(by_seed)}
    for name, (part, key) in FIGURES.items():
        values = [value for run in by_seed.values() if (value := (run[part] or {}).get(key)) is not None]
        if len(values) == len(by_seed):
            found[name] = {"mean": statistics.fmean(values), "std": statistics.stdev(values)}
    return found
