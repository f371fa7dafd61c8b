"""Stopping criteria."""

from cnntrain.config import Config, TrainingOptions
from cnntrain.data import Data
from cnntrain.errors import ConfigError
from cnntrain.training.state import TrainState


def reason_to_stop(state: TrainState, options: TrainingOptions) -> str:
    """Return ``epsilon``, ``patience`` or ``max`` if training is over, otherwise an empty string."""
    if state.batch:
        return ""
    if state.max_change < options.epsilon:
        return "epsilon"
    if options.patience and state.epochs_without_improvement >= options.patience:
        return "patience"
    return "max" if state.epoch > options.Max else ""


def check_patience(config: Config, data: Data) -> None:
    """Raise ConfigError if ``patience`` is set but there is no validation split."""
    if config.training.patience and data.validation is None:
        raise ConfigError(
            f"{config.where(('training', 'patience'))}: patience needs a validation loss, and no samples are held out; "
            "add 'validation: 0.1' to data"
        )
