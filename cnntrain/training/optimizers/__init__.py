"""What makes a step of a gradient: one family of optimizers a file."""

from cnntrain.config import TrainingOptions
from cnntrain.training.optimizers.adam import Adam
from cnntrain.training.optimizers.base import Optimizer
from cnntrain.training.optimizers.rmsprop import RMSProp
from cnntrain.training.optimizers.sgd import Sgd
from cnntrain.types import Array

__all__ = ["Optimizer", "optimizer_of"]


def optimizer_of(options: TrainingOptions, states: Array, W_count: int) -> Optimizer:
    """Return the optimizer that ``training.optimizer`` names.

    Args:
        options: Its keys.
        states: ``(options.state_rows, entries)``, zeros when a run begins; all that the optimizer remembers.
        W_count: Entries that belong to a W; they come first.
    """
    match options.optimizer:
        case "sgd":
            return Sgd(states, options.momentum, options.nesterov)
        case "rmsprop":
            return RMSProp(states, options.rho, options.eps)
        case "adam":
            return Adam(states, options.beta1, options.beta2, options.eps)
        case "adamw":
            return Adam(states, options.beta1, options.beta2, options.eps, options.weight_decay, W_count)
