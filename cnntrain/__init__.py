"""Train convolutional neural networks from a YAML file, on a CPU, with NumPy as the engine.

>>> import cnntrain
>>> config = cnntrain.load_config("digits", ["training.seed=3"])
>>> network = cnntrain.build(config)
>>> network.in_shape
(1, 8, 8)

>>> run = cnntrain.train(config, out="runs/seed3")  # doctest: +SKIP
>>> run.history["train_loss"][-1]  # doctest: +SKIP
0.0214
>>> cnntrain.evaluate(run)["accuracy"]  # doctest: +SKIP
0.975
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnntrain.builder import build
    from cnntrain.config import load_config
    from cnntrain.errors import CnntrainError
    from cnntrain.evaluation.evaluate import evaluate
    from cnntrain.gradient_check.check import gradcheck
    from cnntrain.inference.predictor import load
    from cnntrain.training.api import resume, train
    from cnntrain.training.arrays import load_data

__all__ = ["CnntrainError", "build", "evaluate", "gradcheck", "load", "load_config", "load_data", "resume", "train"]

_HOMES = {
    "CnntrainError": "cnntrain.errors",
    "build": "cnntrain.builder",
    "evaluate": "cnntrain.evaluation.evaluate",
    "gradcheck": "cnntrain.gradient_check.check",
    "load": "cnntrain.inference.predictor",
    "load_config": "cnntrain.config",
    "load_data": "cnntrain.training.arrays",
    "resume": "cnntrain.training.api",
    "train": "cnntrain.training.api",
}


def __getattr__(name: str) -> Any:
    """Import public names on first use: ``cnntrain --help`` needs none of them."""
    if name == "__version__":
        return import_module("importlib.metadata").version("cnntrain")
    if name not in _HOMES:
        raise AttributeError(f"module 'cnntrain' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
