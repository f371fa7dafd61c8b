"""Where a run stands: all that the training program carries from one batch to the next, beside theta and its states.

Whatever is drawn at random follows from the seed, the epoch and the sample, so there is no generator's state here.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

from cnntrain.types import Array

MAX_ROLLBACKS = 3
"""Times that a run goes back; more would mean that alpha is not what is wrong."""


@dataclass
class TrainState:
    """The epoch at hand, what its batches brought so far, and what the epochs before it left behind."""

    epoch: int = 1
    """The one at hand."""
    batch: int = 0
    """Batches of it that are learned."""
    loss: float = 0.0
    """Sum over their samples."""
    correct: int = 0
    seen: int = 0
    """Their samples."""
    seconds: float = 0.0
    """That they took."""
    max_change: float = math.inf
    """Largest change of a parameter in the last whole epoch."""
    best: float = math.inf
    """Least validation loss so far."""
    epochs_without_improvement: int = 0
    """Epochs since then."""
    rollbacks: int = 0
    """Times that the run diverged and went back; each time alpha was halved."""
    restarted_after: int = 0
    """Whole epochs before the optimizer's states last began at 0: where the last rollback went to."""
    before: Array | None = None
    """theta at the beginning of the epoch at hand; None until it has begun."""

    @property
    def alpha_factor(self) -> float:
        """What is left of alpha."""
        return 0.5**self.rollbacks

    def learned(self, loss: float, correct: int, samples: int, seconds: float) -> None:
        """Note one more batch; ``seconds`` are those of the epoch."""
        self.batch += 1
        self.loss, self.correct, self.seen = self.loss + loss, self.correct + correct, self.seen + samples
        self.seconds = seconds

    def next_epoch(self, max_change: float, validation_loss: float | None) -> None:
        """Note the end of the epoch at hand."""
        self.epoch += 1
        self.batch, self.loss, self.correct, self.seen, self.seconds, self.before = 0, 0.0, 0, 0, 0.0, None
        self.max_change = max_change
        if validation_loss is not None and validation_loss < self.best:
            self.best, self.epochs_without_improvement = validation_loss, 0
        else:
            self.epochs_without_improvement += 1

    def to_json(self) -> dict[str, Any]:
        """All but ``before``; numbers with a fraction in hexadecimal, so that not a bit is lost."""
        values = {place.name: getattr(self, place.name) for place in fields(self) if place.name != "before"}
        return {name: value.hex() if isinstance(value, float) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, content: Any) -> "TrainState":
        """What ``to_json`` gave.

        Raises:
            ValueError: It is something else.
        """
        state = cls()
        names = state.to_json().keys()
        if not isinstance(content, dict) or content.keys() != names:
            raise ValueError(f"expected the keys {', '.join(names)}")
        for name in names:
            value = content[name]
            if isinstance(getattr(state, name), float):
                if not isinstance(value, str):
                    raise ValueError(f"{name} is not a number in hexadecimal")
                value = float.fromhex(value)
            elif type(value) is not int or not 0 <= value < 2**62:
                raise ValueError(f"{name} is not a count")
            setattr(state, name, value)
        return state
