"""What a run has come to: the best iteration, the time it took, and how it ended."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from cnntrain.errors import CnntrainError
from cnntrain.judging.scoring import Score


@dataclass
class Outcome:
    """How far a run has come, and how it ended."""

    iterations: int = 0
    best: float = math.inf
    """Least loss on the samples that ``cnntrain.training.monitoring`` names."""
    best_iteration: int = 0
    seconds: float = 0.0
    """That it took, those before it was last resumed counted."""
    stop: str = ""
    error: CnntrainError | None = None
    scores: dict[str, Score | None] = field(default_factory=lambda: dict.fromkeys(("train", "validation", "test")))
    best_loss: float | None = None
    """Of the best weights, on the whole validation split, or training split without one; None: not measured."""

    def result(self) -> dict[str, Any]:
        """What ``train --json`` prints, the folder left out."""
        best = {"iteration": self.best_iteration, "loss": self.best_loss} if self.best_iteration else None
        scores = {split: None if score is None else asdict(score) for split, score in self.scores.items()}
        return {"stop": self.stop, "iterations": self.iterations, "seconds": self.seconds, "best": best, **scores}

    def to_json(self) -> dict[str, Any]:
        """What is not known from the progress of the run; numbers with a fraction in hexadecimal."""
        return {"best": self.best.hex(), "best_iteration": self.best_iteration, "seconds": self.seconds.hex()}

    @classmethod
    def from_json(cls, content: Any, iterations: int) -> "Outcome":
        """What ``to_json`` gave, of a run of so many whole iterations.

        Raises:
            ValueError, TypeError, KeyError: It is something else.
        """
        if type(content["best_iteration"]) is not int:
            raise ValueError("best_iteration is not a count")
        return cls(
            iterations=iterations,
            best=float.fromhex(content["best"]),
            best_iteration=content["best_iteration"],
            seconds=float.fromhex(content["seconds"]),
        )
