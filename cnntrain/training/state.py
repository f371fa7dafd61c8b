"""The training state: what the training loop carries from batch to batch, besides theta and the optimizer state.

Everything random follows from the seed, the epoch and the sample, so there is no state of a random generator.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

from cnntrain.types import Array

MAX_ROLLBACKS = 3
"""Maximum number of rollbacks; beyond it, the learning rate is not the problem."""


@dataclass
class TrainState:
    """Position of a run, totals of the current epoch, and results of earlier epochs."""

    epoch: int = 1
    """Current epoch."""
    batch: int = 0
    """Completed batches of the epoch."""
    loss: float = 0.0
    """Sum of the losses of their samples."""
    correct: int = 0
    """Number of correct predictions."""
    seen: int = 0
    """Number of samples."""
    seconds: float = 0.0
    """Duration of these batches."""
    max_change: float = math.inf
    """Largest change of a parameter in the last completed epoch."""
    best: float = math.inf
    """Lowest validation loss so far."""
    epochs_without_improvement: int = 0
    """Epochs since the lowest validation loss."""
    rollbacks: int = 0
    """Number of rollbacks; each one halves the learning rate."""
    restarted_after: int = 0
    """Completed epochs before the optimizer state was last reset, by a rollback."""
    before: Array | None = None
    """theta at the beginning of the current epoch; None until it begins."""

    @property
    def alpha_factor(self) -> float:
        """Factor of the learning rate after rollbacks."""
        return 0.5**self.rollbacks

    def add_batch(self, loss: float, correct: int, samples: int, seconds: float) -> None:
        """Add a completed batch; ``seconds`` is the duration of the epoch so far."""
        self.batch += 1
        self.loss, self.correct, self.seen = self.loss + loss, self.correct + correct, self.seen + samples
        self.seconds = seconds

    def end_epoch(self, max_change: float, validation_loss: float | None) -> None:
        """Complete the current epoch."""
        self.epoch += 1
        self.batch, self.loss, self.correct, self.seen, self.seconds, self.before = 0, 0.0, 0, 0, 0.0, None
        self.max_change = max_change
        if validation_loss is not None and validation_loss < self.best:
            self.best, self.epochs_without_improvement = validation_loss, 0
        else:
            self.epochs_without_improvement += 1

    def to_json(self) -> dict[str, Any]:
        """Return all fields but ``before``; floats in hexadecimal, which is exact."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "before"}
        return {name: value.hex() if isinstance(value, float) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, content: Any) -> "TrainState":
        """Return the state for the content that ``to_json`` returned.

        Raises:
            ValueError: The content is malformed.
        """
        state = cls()
        names = state.to_json().keys()
        if not isinstance(content, dict) or content.keys() != names:
            raise ValueError(f"expected the keys {', '.join(names)}")
        for name in names:
            value = content[name]
            if isinstance(getattr(state, name), float):
                if not isinstance(value, str):
                    raise ValueError(f"{name} is not a hexadecimal number")
                try:
                    value = float.fromhex(value)
                except (ValueError, OverflowError):
                    raise ValueError(f"{name} is not a hexadecimal number") from None
            elif type(value) is not int or not 0 <= value < 2**62:
                raise ValueError(f"{name} is not a count")
            setattr(state, name, value)
        return state
