"""When a run ends by itself."""

import math

from cnntrain.config import Config, TrainingOptions
from cnntrain.data import Data
from cnntrain.errors import ConfigError


class Stopping:
    """Says after each iteration whether it was the last, and why.

    Attributes:
        best: Least validation loss so far.
        waited: Iterations since then.
    """

    def __init__(self, options: TrainingOptions):
        self.options = options
        self.best, self.waited = math.inf, 0

    def after(self, iteration: int, max_change: float, validation_loss: float | None) -> str:
        """Return ``epsilon``, ``patience`` or ``max`` if the run ends with this iteration, else nothing."""
        if validation_loss is not None and validation_loss < self.best:
            self.best, self.waited = validation_loss, 0
        else:
            self.waited += 1
        if max_change < self.options.epsilon:
            return "epsilon"
        if self.options.patience and self.waited >= self.options.patience:
            return "patience"
        return "max" if iteration >= self.options.Max else ""


def check_patience(config: Config, data: Data) -> None:
    """Raise ConfigError where ``patience`` would wait for a validation loss that never comes."""
    if config.training.patience and data.validation is None:
        raise ConfigError(
            f"{config.where(('training', 'patience'))}: patience needs a validation loss, and no samples are held out; "
            "add 'validation: 0.1' to data"
        )
