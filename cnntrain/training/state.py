"""The training state: what the training loop carries from batch to batch, besides theta and the optimizer state.

Everything random follows from the seed, the epoch and the sample, so there is no state of a random generator.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

from cnntrain.config import TrainingOptions
from cnntrain.types import Array

MAX_ROLLBACKS = 3
"""Maximum number of rollbacks; beyond it, the learning rate is not the problem."""


ADDED = {"epochs_on_plateau", "reductions"}
"""Fields that checkpoints of earlier versions lack; they have their defaults there."""


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
    """Lowest monitored value of the validation split so far."""
    epochs_without_improvement: int = 0
    """Epochs since that value."""
    epochs_on_plateau: int = 0
    """Epochs since that value, or since schedule plateau lowered alpha."""
    reductions: int = 0
    """How often schedule plateau lowered alpha."""
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

    def factor(self, options: TrainingOptions) -> float:
        """Return the factor of the learning rate after rollbacks and reductions by schedule plateau."""
        return self.alpha_factor * options.step_factor**self.reductions

    def add_batch(self, loss: float, correct: int, samples: int, seconds: float) -> None:
        """Add a completed batch; ``seconds`` is the duration of the epoch so far."""
        self.batch += 1
        self.loss, self.correct, self.seen = self.loss + loss, self.correct + correct, self.seen + samples
        self.seconds = seconds

    def end_epoch(self, max_change: float, value: float | None, options: TrainingOptions) -> None:
        """Complete the current epoch; ``value`` is the monitored value of the validation split."""
        self.epoch += 1
        self.batch, self.loss, self.correct, self.seen, self.seconds, self.before = 0, 0.0, 0, 0, 0.0, None
        self.max_change = max_change
        if value is not None and value < self.best - options.min_delta:
            self.best, self.epochs_without_improvement, self.epochs_on_plateau = value, 0, 0
        else:
            self.epochs_without_improvement += 1
            self.epochs_on_plateau += 1
        if options.schedule == "plateau" and self.epochs_on_plateau >= options.plateau_patience:
            self.reductions, self.epochs_on_plateau = self.reductions + 1, 0

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
        if not isinstance(content, dict) or not names - ADDED <= content.keys() <= names:
            raise ValueError(f"expected the keys {', '.join(names)}")
        for name in content:
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
