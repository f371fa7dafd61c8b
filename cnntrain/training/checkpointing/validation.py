"""Validation of checkpoints: the file may have been edited, so its content is checked for consistency."""

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
"""Maximum number of characters of a file's content in messages."""
PREFIX = weights.CHECKPOINT_PREFIX
"""Prefix of the names of tensors that are not weights."""


def check_shapes(shapes: Mapping[str, Shape], rows: int, layout: ParameterLayout) -> None:
    """Raise ValueError unless the additional tensors have the expected names and shapes; no tensor is read."""
    expected = {
        f"{PREFIX}states": (rows, layout.size),
        f"{PREFIX}before": (layout.theta_size,),
        f"{PREFIX}best": (layout.theta_size,),
    }
    found = {name: shape for name, shape in shapes.items() if name.startswith(PREFIX)}
    for name, shape in found.items():
        if name not in expected:
            raise ValueError(f"{name[:MAX_SHOWN]} is unknown")
        if shape != expected[name]:
            raise ValueError(f"{name} has shape {shape}, expected {expected[name]}")


def check_vectors(checkpoint: "Checkpoint", layout: ParameterLayout) -> None:
    """Raise ValueError unless all vectors are present and hold finite numbers of theta's dtype."""
    for name, vector in checkpoint.tensors().items():
        if vector.dtype != checkpoint.theta.dtype:
            raise ValueError(f"{name} holds {vector.dtype}, but the network {checkpoint.theta.dtype}")
    if not checkpoint.is_finite():
        raise ValueError("it holds infinite or NaN numbers")
    state, best = checkpoint.state, checkpoint.best
    if (state.before is not None) != (state.batch > 0):
        raise ValueError("the weights at the beginning of the epoch are missing, or present though no epoch has begun")
    if (best is not None) != (checkpoint.outcome.best_epoch > 0):
        raise ValueError("the best weights are missing, or present though no epoch has ended")
    for slot in layout.slots.values():
        for saved in (state.before, best):
            if slot.key == "running_var" and saved is not None and (saved[slot.slice] < 0).any():
                raise ValueError("a variance is negative")


def check_state(checkpoint: "Checkpoint") -> None:
    """Raise ValueError unless counts and losses are consistent; ``check_position`` checks those that need the data."""
    state, outcome, done = checkpoint.state, checkpoint.outcome, checkpoint.state.epoch - 1
    begun = done + (state.batch > 0)
    counts = {
        "epoch": state.epoch > 0 and begun <= checkpoint.config.training.Max,
        "batch": state.batch > 0 or not (state.loss or state.correct or state.seen),
        "correct": state.correct <= state.seen,
        "loss": isfinite(state.loss),
        "seconds": 0 <= state.seconds < inf and 0 <= outcome.seconds < inf,
        "max_change": state.max_change >= 0,
        "best": not isnan(state.best),
        "epochs_without_improvement": state.epochs_without_improvement <= done,
        "epochs_on_plateau": state.epochs_on_plateau <= done,
        "reductions": state.reductions <= done,
        "rollbacks": state.rollbacks <= MAX_ROLLBACKS,
        "restarted_after": state.restarted_after <= done,
        "best_epoch": 0 <= outcome.best_epoch <= done,
        "the best loss": isfinite(outcome.best) if outcome.best_epoch else outcome.best == inf,
    }
    wrong = [name for name, is_possible in counts.items() if not is_possible]
    if wrong:
        raise ValueError(f"impossible training state: {', '.join(wrong)}")


def check_position(checkpoint: "Checkpoint", samples: int) -> None:
    """Raise WeightsError unless the batch and sample counts are possible with this number of training samples."""
    state, size = checkpoint.state, checkpoint.config.training.batch_size
    seen = samples if size == "all" and state.batch else min(samples, state.batch * (1 if size == "all" else size))
    if state.batch > batch_count(samples, size) or state.seen != seen:
        raise WeightsError("the checkpoint contradicts itself: its batch and sample counts are impossible")


def checked_mark(content: Any) -> FileMark:
    """Return the mark of metrics.jsonl; raise ValueError unless it is a length and a digest."""
    mark = FileMark(**content)
    if type(mark.length) is not int or mark.length < 0 or not isinstance(mark.digest, str):
        raise ValueError("its mark of metrics.jsonl is malformed")
    return mark


def checked_lines(content: Any, epoch: int) -> list[str]:
    """Return the lines not yet in metrics.jsonl; raise ValueError unless they belong to epochs before ``epoch``."""
    if not isinstance(content, list) or len(content) >= epoch:
        raise ValueError("the pending lines of metrics.jsonl are not a list, or too many")
    last = 0
    for line in content:
        if not isinstance(line, str) or len(line) > MAX_LENGTH:
            raise ValueError("a pending line of metrics.jsonl is not text, or too long")
        row = json.loads(line)
        if not isinstance(row, dict) or row.keys() != {field.name for field in fields(EpochEnded)}:
            raise ValueError("a pending line of metrics.jsonl has the wrong keys")
        number = row.pop("epoch")
        if type(number) is not int or not last < number < epoch:
            raise ValueError("a pending line of metrics.jsonl has an impossible epoch")
        nullable = ("validation_loss", "validation_accuracy", "monitor_loss")
        for name, value in row.items():
            is_number = type(value) in (int, float) and isfinite(value)
            if not (is_number or (value is None and name in nullable)):
                raise ValueError(f"{name} in a pending line of metrics.jsonl is not a number")
        if line != json.dumps({"epoch": number, **row}):
            raise ValueError("a pending line of metrics.jsonl is not in the format of cnntrain")
        last = number
    return content


def checked_fingerprint(content: Any) -> dict[str, Any]:
    """Return the fingerprint of the data; raise ValueError unless it holds numbers, shapes and digests."""
    found = {str(part)[:MAX_SHOWN]: value for part, value in dict(content).items()}
    for part, value in found.items():
        if not part.isprintable():
            raise ValueError("its fingerprint of the data is malformed")
        numbers = value if isinstance(value, list) else [value]
        if not isinstance(value, str) and not all(type(number) is int and 0 <= number < 2**62 for number in numbers):
            raise ValueError("its fingerprint of the data is malformed")
    return found


def checked_settings(content: Any) -> dict[str, Any]:
    """Return the keys of ``training`` that a weights file lacks; raise ValueError if any is missing or unknown."""
    if not isinstance(content, dict) or content.keys() | {"tensorboard"} != set(weights.NOT_STORED):  # a newer key
        raise ValueError(f"expected the settings {', '.join(weights.NOT_STORED)}")
    return content
