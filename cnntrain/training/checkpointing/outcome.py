"""What a run has come to: the best epoch, the time it took, and how it ended."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from cnntrain.errors import CnntrainError
from cnntrain.evaluation.scoring import Score


@dataclass
class Outcome:
    """How far a run has come, and how it ended."""

    epochs: int = 0
    best: float = math.inf
    """Least loss on the samples that ``cnntrain.training.monitoring`` names."""
    best_epoch: int = 0
    seconds: float = 0.0
    """That it took, those before it was last resumed counted."""
    stop: str = ""
    error: CnntrainError | None = None
    scores: dict[str, Score | None] = field(default_factory=lambda: dict.fromkeys(("train", "validation", "test")))
    best_loss: float | None = None
    """Of the best weights, on the whole validation split, or training split without one; None: not measured."""

    def result(self) -> dict[str, Any]:
        """What ``train --json`` prints, the folder left out."""
        best = {"epoch": self.best_epoch, "loss": self.best_loss} if self.best_epoch else None
        scores = {split: None if score is None else asdict(score) for split, score in self.scores.items()}
        return {"stop": self.stop, "epochs": self.epochs, "seconds": self.seconds, "best": best, **scores}

    def to_json(self) -> dict[str, Any]:
        """What is not known from the progress of the run; numbers with a fraction in hexadecimal."""
        return {"best": self.best.hex(), "best_epoch": self.best_epoch, "seconds": self.seconds.hex()}

    @classmethod
    def from_json(cls, content: Any, epochs: int) -> "Outcome":
        """What ``to_json`` gave, of a run of so many whole epochs.

        Raises:
            ValueError, TypeError, KeyError: It is something else.
        """
        if type(content["best_epoch"]) is not int:
            raise ValueError("best_epoch is not a count")
        return cls(
            epochs=epochs,
            best=float.fromhex(content["best"]),
            best_epoch=content["best_epoch"],
            seconds=float.fromhex(content["seconds"]),
        )
