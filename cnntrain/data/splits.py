"""The data of a run: splits, class names and preprocessing."""

from dataclasses import dataclass

from cnntrain.data.dataset import Dataset
from cnntrain.data.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """The data of a run."""

    train: Dataset
    """Without the samples held out for validation."""
    validation: Dataset | None
    test: Dataset | None
    classes: tuple[str, ...]
    """Name of each class; label i is ``classes[i]``."""
    preprocessing: Preprocessing
    choices: tuple[str, ...] = ()
    """How an ambiguous source was interpreted, one line each."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of an image, (C, H, W)."""
        return self.train.image_shape

    def splits(self) -> dict[str, Dataset | None]:
        """Return the splits by name; None for a missing split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
