"""What a run leaves in ``postmortem/`` when its numbers run away: where it happened, and a state that leads there.

=======================  ==============================================================================================
report.json              the first tensor that is not finite, its layer and step; parameters and outputs then; the
                         batch's samples; the losses of the last steps
checkpoint.safetensors   the run as it was kept last, before that: ``cnntrain replay`` goes from there to the same end
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
from cnntrain.network.network import Network
from cnntrain.runs.folder import NEWEST
from cnntrain.storage import make_subfolder, read_file, write_file, write_json
from cnntrain.training.batches import batches
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.state import TrainState
from cnntrain.types import Array, Labels

FOLDER = "postmortem"
REPORT = "report.json"
LAST_STEPS = 20
"""Steps whose losses are told."""
MAX_BYTES = 16_000_000
"""Bytes of a report that is read, at most."""


class LastSteps:
    """The mean losses of the last batches."""

    def __init__(self) -> None:
        self.steps: deque[dict[str, Any]] = deque(maxlen=LAST_STEPS)
        self._loss, self._seen = 0.0, 0

    def add(self, state: TrainState) -> None:
        """Note the batch that was learned last."""
        if state.batch == 1:
            self._loss, self._seen = 0.0, 0
        if state.seen > self._seen:
            loss = (state.loss - self._loss) / (state.seen - self._seen)
            self.steps.append({"epoch": state.epoch, "batch": state.batch, "loss": loss})
        self._loss, self._seen = state.loss, state.seen


def examine(
    network: Network, data: Data, options: TrainingOptions, state: TrainState, last: LastSteps, sentence: str
) -> dict[str, Any]:
    """Return the report on a run that diverged in the batch after ``state``, or in what follows the last batch.

    Args:
        network: As it was then.
        data: That it learned.
        options: Of ``training``.
        here: The batches that were learned.
        last: The last of them.
        sentence: What is told of the divergence.
    """
    order = batches(len(data.train), options.batch_size, options.seed, state.epoch, options.shuffle)
    count, indices = 0, np.arange(0)
    for count, indices in enumerate(order, start=1):  # noqa: B007 - the last one counts
        if count > state.batch:
            break
    parameters = list(of_parameters(network))
    bad = next((row["name"] for row in parameters if row["not_finite"]), None)
    outputs = of_outputs(network, TrainingSamples(data, options), state.epoch, indices)
    if bad is None:
        bad = next((f"layers.{row['index']}.output" for row in outputs if row["not_finite"]), None)
    names = data.train.names
    return {
        "sentence": sentence,
        "epoch": state.epoch,
        "batch": count,
        "first_not_finite": bad,
        "samples": indices.tolist(),
        "files": None if names is None else [names[place] for place in indices],
        "parameters": parameters,
        "outputs": outputs,
        "last_steps": list(last.steps),
    }


def of_parameters(network: Network) -> Iterator[dict[str, Any]]:
    """Yield what is to be said of each parameter."""
    for name, value in network.layout.named(network.theta, network.layout.slots).items():
        yield {"name": name, **sizes(value)}


def of_outputs(network: Network, samples: TrainingSamples, epoch: int, indices: Labels) -> list[dict[str, Any]]:
    """Return what is to be said of each layer's output in the first slice of a batch in which one is not finite.

    Where all are finite, that is the last slice.
    """
    rows: list[dict[str, Any]] = []
    for part in network.micro_batches(len(indices)):
        memory = network.workspace(part.stop - part.start)
        samples.load(memory, epoch, indices[part])
        rows = []

        def note(layer: Layer[Any], y: Array, rows: list[dict[str, Any]] = rows) -> None:
            rows.append({"index": layer.index, "type": layer.kind, "step": type(layer).__name__, **sizes(y)})

        with np.errstate(over="ignore", invalid="ignore"):
            network.row.forward(memory.x, memory.caches, on_output=note)
        if any(row["not_finite"] for row in rows):
            break
    return rows


def sizes(values: Array) -> dict[str, Any]:
    """Mean and greatest |value| of those that are finite, and how many are not."""
    size = np.abs(values[np.isfinite(values)], dtype=np.float64)
    return {
        "mean_size": float(size.mean()) if size.size else None,
        "greatest_size": float(size.max()) if size.size else None,
        "not_finite": int(values.size - size.size),
    }


def write(folder: Path, report: dict[str, Any]) -> None:
    """Write ``postmortem/`` into a run folder, beside its last checkpoint.

    Raises:
        OSError: It cannot be written.
    """
    make_subfolder(folder / FOLDER)
    write_file(folder / FOLDER / NEWEST, (folder / NEWEST).read_bytes())
    write_json(folder / FOLDER / REPORT, report)


def read(folder: Path) -> dict[str, Any]:
    """Return the report in a run folder.

    Raises:
        ValueError: It is malformed.
        OSError: It is not there, or cannot be read.
    """
    report = json.loads(read_file(folder / FOLDER / REPORT, MAX_BYTES).decode("utf-8"))
    if not isinstance(report, dict) or not all(
        isinstance(report.get(key), kind) for key, kind in (("sentence", str), ("epoch", int), ("batch", int))
    ):
        raise ValueError("it does not say where the run diverged")
    return report
