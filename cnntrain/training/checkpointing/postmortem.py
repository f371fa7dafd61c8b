"""The postmortem of a diverged run, in the folder ``postmortem`` of the run.

=======================  ==============================================================================================
report.json              the first non-finite tensor, its layer and step; statistics of parameters and outputs at that
                         step; the samples of the batch; the losses of the last steps
checkpoint.safetensors   the last checkpoint before the divergence, from which ``cnntrain replay`` starts
=======================  ==============================================================================================
"""

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.data import Data
from cnntrain.layers.base import Layer
from cnntrain.layers.row import walk
from cnntrain.network.network import Network
from cnntrain.runs.folder import CHECKPOINT_FILE, POSTMORTEM_FOLDER, POSTMORTEM_REPORT
from cnntrain.storage import make_subfolder, read_file, write_file, write_json
from cnntrain.training.batches import batches
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.state import TrainState
from cnntrain.types import Array, Labels

LAST_STEPS = 20
"""Number of last steps whose losses are reported."""
MAX_BYTES = 16_000_000
"""Maximum size of a report."""


class LossHistory:
    """The mean losses of the last batches."""

    def __init__(self) -> None:
        self.steps: deque[dict[str, Any]] = deque(maxlen=LAST_STEPS)
        self._loss, self._seen = 0.0, 0

    def add(self, state: TrainState) -> None:
        """Add the last batch."""
        if state.batch == 1:
            self._loss, self._seen = 0.0, 0
        if state.seen > self._seen:
            loss = (state.loss - self._loss) / (state.seen - self._seen)
            self.steps.append({"epoch": state.epoch, "batch": state.batch, "loss": loss})
        self._loss, self._seen = state.loss, state.seen


def create_report(
    network: Network, data: Data, options: TrainingOptions, state: TrainState, last: LossHistory, message: str
) -> dict[str, Any]:
    """Return the report on a run that diverged in the batch after ``state``, or in what follows the last batch.

    Args:
        network: Network at that moment.
        data: Data of the run.
        options: ``training`` section of the config.
        state: Training state after the last good batch.
        last: Losses of the last batches.
        message: Message of the ``DivergedError``.
    """
    order = batches(len(data.train), options.batch_size, options.seed, state.epoch, options.shuffle)
    count, indices = 0, np.arange(0)
    for count, indices in enumerate(order, start=1):  # noqa: B007 - the last one is used
        if count > state.batch:
            break
    parameters = list(parameter_statistics(network))
    bad = next((row["name"] for row in parameters if row["not_finite"]), None)
    outputs = output_statistics(network, TrainingSamples(data, options), state.epoch, indices)
    if bad is None:
        bad = next((f"{row['name']}.output" for row in outputs if row["not_finite"]), None)
    names = data.train.names
    return {
        "sentence": message,
        "epoch": state.epoch,
        "batch": count,
        "first_not_finite": bad,
        "samples": indices.tolist(),
        "files": None if names is None else [names[index] for index in indices],
        "parameters": parameters,
        "outputs": outputs,
        "last_steps": list(last.steps),
    }


def parameter_statistics(network: Network) -> Iterator[dict[str, Any]]:
    """Yield statistics of each parameter."""
    for name, value in network.layout.named(network.theta, network.layout.slots).items():
        yield {"name": name, **statistics(value)}


def output_statistics(network: Network, samples: TrainingSamples, epoch: int, indices: Labels) -> list[dict[str, Any]]:
    """Return statistics of each layer's output in the first micro-batch of a batch with a non-finite output.

    If all outputs are finite, they are those of the last micro-batch.
    """
    rows: list[dict[str, Any]] = []
    names = {layer: name for name, layer in walk(network.layers)}
    for part in network.micro_batches(len(indices)):
        workspace = network.workspace(part.stop - part.start)
        samples.load(workspace, epoch, indices[part])
        rows = []

        def add(layer: Layer[Any], y: Array, rows: list[dict[str, Any]] = rows) -> None:
            rows.append({"name": names[layer], "type": layer.kind, "step": type(layer).__name__, **statistics(y)})

        with np.errstate(over="ignore", invalid="ignore"):
            network.run(workspace.x, workspace, on_output=add)
        if any(row["not_finite"] for row in rows):
            break
    return rows


def statistics(values: Array) -> dict[str, Any]:
    """Return mean and maximum of the finite |values|, and the number of non-finite values."""
    size = np.abs(values[np.isfinite(values)], dtype=np.float64)
    return {
        "mean_size": float(size.mean()) if size.size else None,
        "greatest_size": float(size.max()) if size.size else None,
        "not_finite": int(values.size - size.size),
    }


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write the postmortem into a run folder, with a copy of the last checkpoint.

    Raises:
        OSError: A file cannot be written.
    """
    postmortem = folder / POSTMORTEM_FOLDER
    make_subfolder(postmortem)
    write_file(postmortem / CHECKPOINT_FILE, (folder / CHECKPOINT_FILE).read_bytes())
    write_json(postmortem / POSTMORTEM_REPORT, report)


def read_report(folder: Path) -> dict[str, Any]:
    """Read the report in a run folder.

    Raises:
        ValueError: The report is malformed.
        OSError: The report is missing or unreadable.
    """
    report = json.loads(read_file(folder / POSTMORTEM_FOLDER / POSTMORTEM_REPORT, MAX_BYTES).decode("utf-8"))
    if not isinstance(report, dict) or not all(
        isinstance(report.get(key), kind) for key, kind in (("sentence", str), ("epoch", int), ("batch", int))
    ):
        raise ValueError("it does not say where the run diverged")
    return report
