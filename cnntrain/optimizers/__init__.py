"""Optimizers: one family per file.

To add one, write its class, and add it to ``OPTIMIZERS`` and ``OptimizerName`` here.
"""

from typing import Literal

from cnntrain.optimizers.adam import Adam, AdamW
from cnntrain.optimizers.base import Optimizer
from cnntrain.optimizers.rmsprop import RMSprop
from cnntrain.optimizers.sgd import SGD

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "OptimizerName", "RMSprop", "names_with"]

OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
"""Values of ``training.optimizer``."""
OPTIMIZERS: dict[OptimizerName, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


def names_with(key: str) -> tuple[OptimizerName, ...]:
    """Return the names of the optimizers that take a key of ``training``."""
    return tuple(name for name, optimizer in OPTIMIZERS.items() if key in optimizer.keys)
