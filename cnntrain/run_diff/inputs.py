"""What goes into two runs and differs: keys of the config, data, versions."""

from typing import Any

from cnntrain.data.fingerprint import differences
from cnntrain.run_diff.recorded import RecordedRun
from cnntrain.runs.compare import config_differences, flatten

WITHOUT_EFFECT = {"data.path", "data.mirrors", "training.workers", "training.checkpoint_every", "training.tensorboard"}
"""Keys on which no bit of a weight depends; what is at ``data.path`` is compared by itself."""
ONLY_ENDS = {"training.Max", "training.epsilon", "training.patience", "training.on_divergence"}
"""Keys that decide when a run ends; Max also shapes a learning-rate schedule."""

STAGES: dict[str, tuple[str, ...]] = {
    "initial weights": ("network.", "training.seed", "training.dtype"),
    "samples": ("training.seed", "training.shuffle", "training.batch_size", "data."),
    "input": ("data.", "training.augmentation.", "training.seed", "training.dtype"),
    "labels": ("data.",),
    "forward": ("network.", "training.seed", "training.dtype", "training.batch_size"),
    "loss": ("training.loss", "training.label_smoothing", "training.class_weights", "training.reduction"),
    "backward": ("training.loss", "training.label_smoothing", "training.class_weights", "training.reduction"),
    "update": ("training.", "network."),
}
"""Beginnings of the keys that can be the cause of a difference at each stage of a step."""
DATA_STAGES = ("samples", "input", "labels")
"""Stages that depend on the data."""


def differing_keys(a: RecordedRun, b: RecordedRun) -> dict[str, list[Any]]:
    """Return the keys of the configs that differ, with both values; None for a missing key."""
    return config_differences([flatten(run.config.resolved()) for run in (a, b)])


def differing_versions(a: RecordedRun, b: RecordedRun) -> dict[str, list[str | None]]:
    """Return the code, libraries and kernels that differ, with both versions."""
    versions = [run.newest.provenance for run in (a, b)]
    names = dict.fromkeys([*versions[0], *versions[1]])
    both = {name: [found.get(name) for found in versions] for name in names}
    return {name: found for name, found in both.items() if found[0] != found[1]}


def differing_fingerprints(a: RecordedRun, b: RecordedRun) -> list[str]:
    """Return which parts of the data differ, according to the fingerprints that the runs recorded."""
    parts = differences(a.newest.fingerprint, b.newest.fingerprint)
    return [part.replace(" then, ", " and ").removesuffix(" now") for part in parts]


def causes_at(
    stage: str, keys: dict[str, list[Any]], data: bool, versions: dict[str, Any], alpha: bool = False
) -> list[str]:
    """Return what can be the cause of a first difference at a stage of a step, the most specific first.

    Args:
        stage: A key of ``STAGES``.
        keys: The differing keys of the config.
        data: Whether the data differ.
        versions: The differing versions.
        alpha: Whether the learning rate of the step differs: it may depend on Max.
    """
    effective = [key for key in keys if key not in WITHOUT_EFFECT]
    effective = [key for key in effective if key not in ONLY_ENDS or (alpha and key == "training.Max")] or effective
    found = [key for key in effective if key.startswith(STAGES[stage])]
    of_data = [key for key in found if key.startswith("data.")]
    if data and stage in DATA_STAGES and not of_data:
        found = ["the data", *found]
    if not found and data:
        found = ["the data"]
    return found or effective or [f"the version of {name}" for name in versions]
