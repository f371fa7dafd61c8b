"""The training algorithm, and what a run leaves behind."""

from cnntrain.training.calling import resume, train
from cnntrain.training.fit import fit
from cnntrain.training.keeping.resuming import go_on

__all__ = ["fit", "go_on", "resume", "train"]
