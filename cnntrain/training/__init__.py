"""The training algorithm, and what a run leaves behind."""

from cnntrain.training.evaluation import evaluate
from cnntrain.training.fit import fit, train

__all__ = ["evaluate", "fit", "train"]
