"""The outcome of a run: the best epoch, the duration, and why it ended."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from cnntrain.errors import CnntrainError
from cnntrain.evaluation.scoring import Score


@dataclass
class Outcome:
    """The outcome of a run so far.

    ``epochs`` counts completed epochs; ``stop`` and ``error`` say why the run ended.
    """

    epochs: int = 0
    best: float = math.inf
    """Lowest monitored value, see ``cnntrain.training.monitoring``."""
    best_epoch: int = 0
    seconds: float = 0.0
    """Duration, including the time before the run was resumed."""
    stop: str = ""
    error: CnntrainError | None = None
    scores: dict[str, Score | None] = field(default_factory=lambda: dict.fromkeys(("train", "validation", "test")))
    best_loss: float | None = None
    """Loss of the best weights on the whole validation split, else training split; None if not computed."""

    def result(self) -> dict[str, Any]:
        """Return what ``train --json`` prints, except for the folder."""
        best = {"epoch": self.best_epoch, "loss": self.best_loss} if self.best_epoch else None
        scores = {split: None if score is None else asdict(score) for split, score in self.scores.items()}
        return {"stop": self.stop, "epochs": self.epochs, "seconds": self.seconds, "best": best, **scores}

    def to_json(self) -> dict[str, Any]:
        """Return the fields that do not follow from the training state; floats in hexadecimal."""
        return {"best": self.best.hex(), "best_epoch": self.best_epoch, "seconds": self.seconds.hex()}

    @classmethod
    def from_json(cls, content: Any, epochs: int) -> "Outcome":
        """Return the outcome for the content that ``to_json`` returned, and the number of completed epochs.

        Raises:
            ValueError, TypeError, KeyError: The content is malformed.
        """
        if type(content["best_epoch"]) is not int:
            raise ValueError("best_epoch is not a count")
        return cls(
            epochs=epochs,
            best=float.fromhex(content["best"]),
            best_epoch=content["best_epoch"],
            seconds=float.fromhex(content["seconds"]),
        )
