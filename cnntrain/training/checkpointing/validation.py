"""What a checkpoint says is believed only if a run can stand there: anybody may have written the file."""

import json
from collections.abc import Mapping
from dataclasses import fields
from math import inf, isfinite, isnan
from typing import TYPE_CHECKING, Any

from cnntrain.errors import WeightsError
from cnntrain.network.parameter_vector import ParameterLayout
from cnntrain.storage import FileMark
from cnntrain.storage.lines import MAX_LENGTH
from cnntrain.training.batches import batch_count
from cnntrain.training.events import EpochEnded
from cnntrain.training.state import MAX_ROLLBACKS
from cnntrain.types import Shape
from cnntrain.weights import weights

if TYPE_CHECKING:
    from cnntrain.training.checkpointing.checkpoint import Checkpoint

MAX_SHOWN = 80
"""Characters of what a file says that are shown."""
PREFIX = weights.CHECKPOINT_PREFIX
"""Names of tensors that are not the network's weights begin with it."""


def check_shapes(shapes: Mapping[str, Shape], rows: int, size: int) -> None:
    """Raise ValueError, before anything is read, unless the optimizer has its states and every vector is like theta."""
    wanted = {f"{PREFIX}states": (rows, size), f"{PREFIX}before": (size,), f"{PREFIX}best": (size,)}
    found = {name: shape for name, shape in shapes.items() if name.startswith(PREFIX)}
    for name, shape in found.items():
        if name not in wanted:
            raise ValueError(f"{name[:MAX_SHOWN]} is unknown")
        if shape != wanted[name]:
            raise ValueError(f"{name} has shape {shape}, and not {wanted[name]}")


def check_vectors(checkpoint: "Checkpoint", layout: ParameterLayout) -> None:
    """Raise ValueError unless every vector is there that is needed, and holds finite numbers of theta's type."""
    for name, vector in checkpoint.tensors().items():
        if vector.dtype != checkpoint.theta.dtype:
            raise ValueError(f"{name} holds {vector.dtype}, and the network {checkpoint.theta.dtype}")
    if not checkpoint.is_finite():
        raise ValueError("it holds numbers that are infinite or NaN")
    state, best = checkpoint.progress, checkpoint.best
    if (state.before is not None) != (state.batch > 0):
        raise ValueError("the weights at the beginning of its epoch are missing, or there though none has begun")
    if (best is not None) != (checkpoint.outcome.best_epoch > 0):
        raise ValueError("its best weights are missing, or there though no epoch has ended")
    for place in layout.buffers.values():
        for saved in (state.before, best):
            if place.key == "running_var" and saved is not None and (saved[place.slice] < 0).any():
                raise ValueError("a variance is below 0")


def check_progress(checkpoint: "Checkpoint") -> None:
    """Raise ValueError unless counts and losses fit each other; what needs the data is in ``check_position``."""
    state, outcome, done = checkpoint.progress, checkpoint.outcome, checkpoint.progress.epoch - 1
    begun = done + (state.batch > 0)
    counts = {
        "epoch": state.epoch > 0 and begun <= checkpoint.config.training.Max,
        "batch": state.batch > 0 or not (state.loss or state.correct or state.seen),
        "right": state.correct <= state.seen,
        "loss": isfinite(state.loss),
        "seconds": 0 <= state.seconds < inf and 0 <= outcome.seconds < inf,
        "max_change": state.max_change >= 0,
        "best": not isnan(state.best),
        "waited": state.epochs_without_improvement <= done,
        "rollbacks": state.rollbacks <= MAX_ROLLBACKS,
        "restarted_after": state.restarted_after <= done,
        "best_epoch": 0 <= outcome.best_epoch <= done,
        "the best loss": isfinite(outcome.best) if outcome.best_epoch else outcome.best == inf,
    }
    wrong = [name for name, is_possible in counts.items() if not is_possible]
    if wrong:
        raise ValueError(f"no run stands where it says: {', '.join(wrong)}")


def check_position(checkpoint: "Checkpoint", samples: int) -> None:
    """Raise WeightsError unless so many training samples have the batches that a checkpoint says were learned."""
    state, size = checkpoint.progress, checkpoint.config.training.batch_size
    seen = samples if size == "all" and state.batch else min(samples, state.batch * (1 if size == "all" else size))
    if state.batch > batch_count(samples, size) or state.seen != seen:
        raise WeightsError("the checkpoint contradicts itself: no run stands where it says")


def checked_mark(content: Any) -> FileMark:
    """Return what a checkpoint says of metrics.jsonl; raise ValueError unless it is a length and a digest."""
    mark = FileMark(**content)
    if type(mark.length) is not int or mark.length < 0 or not isinstance(mark.digest, str):
        raise ValueError("its mark in metrics.jsonl is none")
    return mark


def checked_lines(content: Any, epoch: int) -> list[str]:
    """Return lines that metrics.jsonl still lacks; raise ValueError unless they are of epochs before that one."""
    if not isinstance(content, list) or len(content) >= epoch:
        raise ValueError("the lines that wait for metrics.jsonl are no list, or too many")
    last = 0
    for line in content:
        if not isinstance(line, str) or len(line) > MAX_LENGTH:
            raise ValueError("a line that waits for metrics.jsonl is no text, or too long")
        row = json.loads(line)
        if not isinstance(row, dict) or row.keys() != {field.name for field in fields(EpochEnded)}:
            raise ValueError("a line that waits for metrics.jsonl does not have its keys")
        number = row.pop("epoch")
        if type(number) is not int or not last < number < epoch:
            raise ValueError("a line that waits for metrics.jsonl is of no epoch that has ended")
        nullable = ("validation_loss", "validation_accuracy", "monitor_loss")
        for name, value in row.items():
            is_number = type(value) in (int, float) and isfinite(value)
            if not (is_number or (value is None and name in nullable)):
                raise ValueError(f"{name} of a line that waits for metrics.jsonl is no number")
        if line != json.dumps({"epoch": number, **row}):
            raise ValueError("a line that waits for metrics.jsonl is not as a run writes it")
        last = number
    return content


def checked_fingerprint(content: Any) -> dict[str, Any]:
    """Return what a checkpoint says of the data; raise ValueError unless it is numbers, shapes and digests."""
    found = {str(part)[:MAX_SHOWN]: value for part, value in dict(content).items()}
    for part, value in found.items():
        if not part.isprintable():
            raise ValueError("its fingerprint of the data is none")
        numbers = value if isinstance(value, list) else [value]
        if not isinstance(value, str) and not all(type(number) is int and 0 <= number < 2**62 for number in numbers):
            raise ValueError("its fingerprint of the data is none")
    return found


def checked_settings(content: Any) -> dict[str, Any]:
    """Return the keys of ``training`` that a weights file lacks; raise ValueError unless they are just these."""
    if not isinstance(content, dict) or content.keys() != set(weights.NOT_STORED):
        raise ValueError(f"expected the settings {', '.join(weights.NOT_STORED)}")
    return content
