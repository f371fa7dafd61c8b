"""Loss and accuracy of a network on a data set: forward only."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.data import Dataset, Preprocessing
from cnntrain.errors import UsageError
from cnntrain.network import Network


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss a sample (without penalties on W), share of samples that are right, and how many there are."""

    loss: float
    accuracy: float
    samples: int


def score(network: Network, dataset: Dataset, preprocessing: Preprocessing) -> Score:
    """Return loss and accuracy of ``network`` on ``dataset``."""
    loss, right = 0.0, 0
    for part in network.slices(len(dataset.labels)):
        y = dataset.labels[part]
        memory = network.memory(len(y))
        preprocessing.columns(dataset.images, np.arange(part.start, part.stop), memory.x)
        part_loss, part_right, _ = network.judge_slice(memory, y)
        loss += part_loss
        right += part_right
    return Score(loss / len(dataset.labels), right / len(dataset.labels), len(dataset.labels))


def score_or_none(network: Network, dataset: Dataset | None, preprocessing: Preprocessing) -> dict[str, Any] | None:
    """The score as a result's JSON has it; null for a split that is missing."""
    return None if dataset is None else asdict(score(network, dataset, preprocessing))


def evaluate(run: str | Path, split: str = "test", overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return loss and accuracy of saved weights: what ``cnntrain eval --json`` prints.

    Args:
        run: A run folder, or a ``.safetensors`` file.
        split: ``test``, ``validation`` or ``train``.
        overrides: ``KEY=VALUE`` words on the stored config, such as ``data.path=...`` for data that moved.

    Raises:
        WeightsError: The weights are missing or malformed, or the data are not what they were trained for.
        DataError: The data are missing or malformed.
        UsageError: The data have no such split.
    """
    from cnntrain import weights
    from cnntrain.builder import data_of

    saved = weights.load_saved(run, overrides)
    data = data_of(saved.config)
    saved.check_fits(data)
    dataset: Dataset | None = {"train": data.train, "validation": data.validation, "test": data.test}.get(split)
    if dataset is None:
        raise UsageError(f"{run}: the data have no {split} split")
    result = score(saved.network, dataset, saved.preprocessing)
    return {"split": split, **asdict(result), "classes": list(saved.classes)}
