"""Checkpoints: the full training state in one file.

A checkpoint is a weights file with more tensors: besides ``layers.<i>.W`` and ``layers.<i>.b`` it holds the optimizer
state, theta at the beginning of the current epoch and at the best epoch, and in its metadata the training state. No
random state is needed: everything random follows from the seed, the epoch and the sample. A single file cannot be
mixed up with another one, and its digest detects damage.
"""

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.data.pixels import UNKNOWN, Scale
from cnntrain.errors import CnntrainError, WeightsError, reason_of
from cnntrain.network.network import Network
from cnntrain.runs.folder import CHECKPOINT_FILE, PREVIOUS_FILE
from cnntrain.storage import FileMark
from cnntrain.storage.atomic import new_file
from cnntrain.storage.disk import DISK, Disk
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.checkpointing.validation import (
    MAX_SHOWN,
    PREFIX,
    check_shapes,
    check_state,
    check_vectors,
    checked_fingerprint,
    checked_lines,
    checked_mark,
    checked_settings,
)
from cnntrain.training.state import TrainState
from cnntrain.types import Array
from cnntrain.weights import weights
from cnntrain.weights.safetensors_file import read_tensors, serialize


@dataclass
class Checkpoint:
    """The training state between two batches."""

    config: Config
    state: TrainState
    outcome: Outcome
    theta: Array
    states: Array
    """Optimizer state, ``(state_rows, entries of theta)``."""
    best: Array | None
    """theta of the best epoch so far."""
    metrics: FileMark
    """Length and digest of metrics.jsonl at this point."""
    waiting: list[str]
    """Lines not yet written to metrics.jsonl."""
    fingerprint: dict[str, Any]
    """Fingerprint of the data."""
    provenance: dict[str, str]
    """See ``cnntrain.training.checkpointing.provenance``."""
    scale: Scale = UNKNOWN
    """Value range of the images."""

    def tensors(self) -> dict[str, Array]:
        """Return the tensors besides the weights."""
        tensors = {f"{PREFIX}states": self.states}
        for name, vector in (("before", self.state.before), ("best", self.best)):
            if vector is not None:
                tensors[PREFIX + name] = vector
        return tensors

    def metadata(self) -> dict[str, Any]:
        """Return the metadata besides those of a weights file."""
        training = self.config.resolved()["training"]
        return {
            "progress": self.state.to_json(),
            "outcome": self.outcome.to_json(),
            "settings": {key: training[key] for key in weights.NOT_STORED},
            "metrics": asdict(self.metrics),
            "waiting": self.waiting,
            "data": self.fingerprint,
            "origin": self.provenance,
        }

    def is_finite(self) -> bool:
        """Return whether all numbers are finite; otherwise the run cannot continue."""
        return all(bool(np.isfinite(vector).all()) for vector in (self.theta, *self.tensors().values()))


def serialized(checkpoint: Checkpoint, network: Network, data: Data) -> bytes:
    """Return the content of the file."""
    about = weights.description(network, checkpoint.config, data) | {weights.CHECKPOINT: checkpoint.metadata()}
    tensors = network.layout.named(checkpoint.theta, network.layout.slots) | checkpoint.tensors()
    about["digest"] = digest(tensors, about)
    return serialize(tensors, {weights.KEY: json.dumps(about)})


def digest(tensors: dict[str, Array], about: dict[str, Any]) -> str:
    """Return a digest of tensors and metadata."""
    total = blake2b(json.dumps(about).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype.name} {tensor.shape}".encode())
        total.update(np.ascontiguousarray(tensor).data)
    return total.hexdigest()


def save(folder: Path, content: bytes, disk: Disk = DISK) -> None:
    """Write the newest checkpoint and keep the previous one.

    At any time at least one of the two files is intact: the old one is renamed after the new one has been read back.

    Raises:
        OSError: The file cannot be written; the last checkpoint is intact.
    """
    with new_file(folder / CHECKPOINT_FILE, content, disk) as temporary:
        if (folder / CHECKPOINT_FILE).exists():
            disk.replace(folder / CHECKPOINT_FILE, folder / PREVIOUS_FILE)
        disk.replace(temporary, folder / CHECKPOINT_FILE)
    disk.sync_folder(folder)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        WeightsError: The file is missing or damaged.
    """
    header, about = weights.read_metadata(path)
    saved = weights.saved_network(path, header, with_settings(about))
    stored_digest = about.pop("digest", None)
    try:
        check_shapes(header.shapes, saved.config.training.state_rows, saved.network.layout)
        tensors = read_tensors(path)
        if stored_digest != digest(tensors, about):
            raise WeightsError("the checkpoint is damaged: its content does not match its digest")
        more = about[weights.CHECKPOINT]
        state = TrainState.from_json(more["progress"])
        checked_settings(more["settings"])
        checkpoint = Checkpoint(
            config=saved.config,
            state=state,
            outcome=Outcome.from_json(more["outcome"], state.epoch - 1),
            theta=saved.network.theta,
            states=tensors[f"{PREFIX}states"],
            best=tensors.get(f"{PREFIX}best"),
            metrics=checked_mark(more["metrics"]),
            waiting=checked_lines(more["waiting"], state.epoch),
            fingerprint=checked_fingerprint(more["data"]),
            provenance={str(key)[:MAX_SHOWN]: str(value)[:MAX_SHOWN] for key, value in more["origin"].items()},
            scale=saved.preprocessing.scale,
        )
        state.before = tensors.get(f"{PREFIX}before")
        check_state(checkpoint)
        check_vectors(checkpoint, saved.network.layout)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (CnntrainError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else "; ".join(own_words(error).splitlines())
        raise WeightsError(f"{path}: not a checkpoint of this version of cnntrain: {reason}") from error
    return checkpoint


def own_words(error: Exception) -> str:
    """Return the text of an error that a check here raised; what Python raises means nothing to the reader."""
    return str(error) if type(error) is ValueError or isinstance(error, CnntrainError) else reason_of(error)


def with_settings(about: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a checkpoint with its settings merged into the config, or unchanged if malformed."""
    config, more = about.get("config"), about.get(weights.CHECKPOINT)
    training = config.get("training") if isinstance(config, dict) else None
    settings = more.get("settings") if isinstance(more, dict) else None
    if not isinstance(config, dict) or not isinstance(training, dict) or not isinstance(settings, dict):
        return about
    given = {key: settings[key] for key in weights.NOT_STORED if key in settings}
    return about | {"config": config | {"training": training | given}}
