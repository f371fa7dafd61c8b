"""Checkpoints: everything that the rest of a run depends on, in one file.

A checkpoint is a weights file that holds more: beside ``layers.<i>.W`` and ``layers.<i>.b`` the optimizer's states,
theta at the beginning of the epoch at hand and at the best one, and in its metadata where the run stands. Nothing
random needs storing: it all follows from the seed, the epoch and the sample. One file, so that nothing can be
paired wrongly; a digest in it tells whether it is whole.
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
from cnntrain.errors import CnntrainError, WeightsError
from cnntrain.network.network import Network
from cnntrain.runs.folder import NEWEST, PREVIOUS
from cnntrain.storage import FileMark
from cnntrain.storage.atomic import new_file
from cnntrain.storage.disk import DISK, Disk
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.checkpointing.validation import (
    MAX_SHOWN,
    PREFIX,
    check_progress,
    check_shapes,
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
    """A run as it stands between two batches."""

    config: Config
    progress: TrainState
    outcome: Outcome
    theta: Array
    states: Array
    """(rows, entries of theta): the optimizer's."""
    best: Array | None
    """theta of the best epoch so far."""
    metrics: FileMark
    """How far metrics.jsonl was right."""
    waiting: list[str]
    """Lines that were not in it yet."""
    fingerprint: dict[str, Any]
    """Of the data."""
    origin: dict[str, str]
    """Of the bits, see ``cnntrain.training.checkpointing.provenance``."""
    scale: Scale = UNKNOWN
    """What the numbers of the images mean."""

    def tensors(self) -> dict[str, Array]:
        """What is stored beside the weights."""
        found = {f"{PREFIX}states": self.states}
        for name, vector in (("before", self.progress.before), ("best", self.best)):
            if vector is not None:
                found[PREFIX + name] = vector
        return found

    def about(self) -> dict[str, Any]:
        """What is stored in words."""
        training = self.config.resolved()["training"]
        return {
            "progress": self.progress.to_json(),
            "outcome": self.outcome.to_json(),
            "settings": {key: training[key] for key in weights.NOT_STORED},
            "metrics": asdict(self.metrics),
            "waiting": self.waiting,
            "data": self.fingerprint,
            "origin": self.origin,
        }

    def is_finite(self) -> bool:
        """Whether no number is infinite or NaN: such a run cannot go on."""
        return all(bool(np.isfinite(vector).all()) for vector in (self.theta, *self.tensors().values()))


def serialized(checkpoint: Checkpoint, network: Network, data: Data) -> bytes:
    """Return the bytes of the file."""
    about = weights.description(network, checkpoint.config, data) | {weights.CHECKPOINT: checkpoint.about()}
    tensors = network.layout.named(checkpoint.theta, network.layout.slots) | checkpoint.tensors()
    about["digest"] = digest(tensors, about)
    return serialize(tensors, {weights.KEY: json.dumps(about)})


def digest(tensors: dict[str, Array], about: dict[str, Any]) -> str:
    """Return a digest of all that a checkpoint says."""
    total = blake2b(json.dumps(about).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype.name} {tensor.shape}".encode())
        total.update(np.ascontiguousarray(tensor).data)
    return total.hexdigest()


def save(folder: Path, content: bytes, disk: Disk = DISK) -> None:
    """Make ``content`` the newest checkpoint and keep the one before it.

    At every moment one of the two is whole: the older one changes its name only when the newer one has been read back.

    Raises:
        OSError: It could not be written; the last one is still there.
    """
    with new_file(folder / NEWEST, content, disk) as temporary:
        if (folder / NEWEST).exists():
            disk.replace(folder / NEWEST, folder / PREVIOUS)
        disk.replace(temporary, folder / NEWEST)
    disk.sync_folder(folder)


def load(path: Path) -> Checkpoint:
    """Return a checkpoint.

    Raises:
        WeightsError: It is not there, or damaged.
    """
    header, about = weights.read_metadata(path)
    saved = weights.saved_network(path, header, with_settings(about))
    told = about.pop("digest", None)
    try:
        check_shapes(header.shapes, saved.config.training.state_rows, saved.network.theta.size)
        tensors = read_tensors(path)
        if told != digest(tensors, about):
            raise WeightsError("the checkpoint is damaged: its content does not fit its digest")
        more = about[weights.CHECKPOINT]
        progress = TrainState.from_json(more["progress"])
        checked_settings(more["settings"])
        checkpoint = Checkpoint(
            config=saved.config,
            progress=progress,
            outcome=Outcome.from_json(more["outcome"], progress.epoch - 1),
            theta=saved.network.theta,
            states=tensors[f"{PREFIX}states"],
            best=tensors.get(f"{PREFIX}best"),
            metrics=checked_mark(more["metrics"]),
            waiting=checked_lines(more["waiting"], progress.epoch),
            fingerprint=checked_fingerprint(more["data"]),
            origin={str(key)[:MAX_SHOWN]: str(value)[:MAX_SHOWN] for key, value in more["origin"].items()},
            scale=saved.preprocessing.scale,
        )
        progress.before = tensors.get(f"{PREFIX}before")
        check_progress(checkpoint)
        check_vectors(checkpoint, saved.network.layout)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (CnntrainError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else "; ".join(str(error).splitlines())
        raise WeightsError(f"{path}: not a checkpoint of this version of cnntrain: {reason}") from error
    return checkpoint


def with_settings(about: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON object of a checkpoint with the settings in its config; as it is, where either is malformed."""
    config, more = about.get("config"), about.get(weights.CHECKPOINT)
    training = config.get("training") if isinstance(config, dict) else None
    settings = more.get("settings") if isinstance(more, dict) else None
    if not isinstance(config, dict) or not isinstance(training, dict) or not isinstance(settings, dict):
        return about
    given = {key: settings[key] for key in weights.NOT_STORED if key in settings}
    return about | {"config": config | {"training": training | given}}
