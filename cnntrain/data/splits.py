"""What a run is given: samples in their splits, the names of the classes, and how pixels are standardized."""

from dataclasses import dataclass

from cnntrain.data.dataset import Dataset
from cnntrain.data.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """All that a run needs to know about its data."""

    train: Dataset
    """Without the samples that are held out for validation."""
    validation: Dataset | None
    test: Dataset | None
    classes: tuple[str, ...]
    """Name of each class; label i is ``classes[i]``."""
    preprocessing: Preprocessing
    choices: tuple[str, ...] = ()
    """How the source was read where it could have been read otherwise, a line each."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return self.train.image_shape

    def splits(self) -> dict[str, Dataset | None]:
        """The splits by name; None where there is none."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
