"""Stopping criteria."""

from cnntrain.config import Config, TrainingOptions
from cnntrain.config.rules import NO_VALIDATION
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


def check_validation(config: Config, data: Data) -> None:
    """Raise ConfigError if a key such as ``patience`` needs a validation split, and there is none."""
    needs = config.training.need_validation
    if needs and data.validation is None:
        raise ConfigError("\n".join(f"{config.where(('training', key))}: {NO_VALIDATION.format(key)}" for key in needs))
