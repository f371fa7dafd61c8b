"""Loss and accuracy of a network on a data set: forward only."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain import weights
from cnntrain.builder import data_of
from cnntrain.data import Dataset, Preprocessing
from cnntrain.errors import UsageError
from cnntrain.network import Network
from cnntrain.parallel import Alone, Communicator, one_blas_thread


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss a sample (without penalties on W), share of samples that are right, and how many there are."""

    loss: float
    accuracy: float
    samples: int


def score(network: Network, dataset: Dataset, preprocessing: Preprocessing, comm: Communicator) -> Score:
    """Return loss and accuracy of ``network`` on ``dataset``; each rank judges its slices."""
    parts = list(network.slices(len(dataset)))
    for i in comm.slices(len(parts)):
        part = parts[i]
        memory = network.memory(part.stop - part.start)
        preprocessing.columns(dataset.images, np.arange(part.start, part.stop), memory.x)
        with np.errstate(over="ignore", invalid="ignore"):
            loss, right = network.judge_slice(memory, dataset.labels[part])
        comm.judged(i, loss, right)
    loss, right = comm.gather(len(parts))
    return Score(loss / len(dataset), right / len(dataset), len(dataset))


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
    saved = weights.load_saved(run, overrides)
    data = data_of(saved.config)
    saved.check_fits(data)
    dataset = data.splits().get(split)
    if dataset is None:
        raise UsageError(f"{run}: the data have no {split} split")
    with one_blas_thread():
        result = score(saved.network, dataset, saved.preprocessing, Alone(saved.network.layout, saved.network.dtype))
    return {"split": split, **asdict(result), "classes": list(saved.classes)}
