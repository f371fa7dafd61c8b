"""The training algorithm, and what a run leaves behind."""

from cnntrain.training.fit import fit, train

__all__ = ["fit", "train"]
