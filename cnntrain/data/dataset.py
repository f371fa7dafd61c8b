"""What a data set is in memory, and the one place where its parts are checked against each other."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.labels import number_classes, to_labels
from cnntrain.data.pixels import Images, is_deep, to_pixels
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.errors import DataError
from cnntrain.types import Array, Labels


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images and their labels.

    Shape:
        images ``(N, C, H, W)``, uint8 or float32 in 0..1; labels ``(N,)``, int64, each the number of a class.
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "Dataset":
        """The samples at ``indices``, in that order, copied."""
        return Dataset(self.images[indices], self.labels[indices])


class Splits(NamedTuple):
    """What a source holds."""

    train: Dataset
    test: Dataset | None
    classes: tuple[str, ...]


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

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        _, C, H, W = self.train.images.shape
        return C, H, W

    def splits(self) -> dict[str, Dataset | None]:
        """The splits by name; None where there is none."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class Arrays(NamedTuple):
    """One split as a file holds it: numbers of any type, and what to call them in a message."""

    images: Array
    """(N, C, H, W)"""
    labels: Array
    images_name: str
    labels_name: str


def assemble(where: str, train: Arrays, test: Arrays | None = None, names: tuple[str, ...] | None = None) -> Splits:
    """Check the arrays of a file or folder, alone and against each other, and make data sets of them.

    Args:
        where: The file or folder, to begin a message with.
        train: The training samples.
        test: The test samples, if there are any.
        names: Names of the classes; by default their labels.

    Raises:
        DataError: The first thing that is wrong: counts, shapes, pixels or labels.
    """
    splits = [split for split in (train, test) if split is not None]
    for images, labels, images_name, labels_name in splits:
        if len(images) != len(labels):
            raise DataError(
                f"{where}: {images_name} holds {len(images):,} images, but {labels_name} holds {len(labels):,} labels; "
                "every image needs one label"
            )
        if images.shape[1:] != train.images.shape[1:]:
            shapes = ["{} x {} x {}".format(*array.shape[1:]) for array in (images, train.images)]
            raise DataError(
                f"{where}: the images of {images_name} are {shapes[0]} (channels x rows x columns), but those of "
                f"{train.images_name} are {shapes[1]}"
            )
    deep = any(is_deep(split.images) for split in splits)
    pixels = [to_pixels(split.images, f"{where}: {split.images_name}", deep) for split in splits]
    numbers = [to_labels(split.labels, f"{where}: {split.labels_name}") for split in splits]
    label_names = [f"{where}: {split.labels_name}" for split in splits]
    first, classes = number_classes(numbers[0], numbers[1] if test else None, names, label_names[0], label_names[-1])
    datasets = [Dataset(images, labels - first) for images, labels in zip(pixels, numbers, strict=True)]
    return Splits(datasets[0], datasets[1] if test else None, classes)
