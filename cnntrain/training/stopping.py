"""When a run ends by itself."""

from cnntrain.config import Config, TrainingOptions
from cnntrain.data import Data
from cnntrain.errors import ConfigError
from cnntrain.training.progress import Progress


def reason_to_stop(here: Progress, options: TrainingOptions) -> str:
    """Return ``epsilon``, ``patience`` or ``max`` if no iteration follows the last one, else nothing."""
    if here.batch:
        return ""
    if here.max_change < options.epsilon:
        return "epsilon"
    if options.patience and here.waited >= options.patience:
        return "patience"
    return "max" if here.iteration > options.Max else ""


def check_patience(config: Config, data: Data) -> None:
    """Raise ConfigError where ``patience`` would wait for a validation loss that never comes."""
    if config.training.patience and data.validation is None:
        raise ConfigError(
            f"{config.where(('training', 'patience'))}: patience needs a validation loss, and no samples are held out; "
            "add 'validation: 0.1' to data"
        )
