"""Data sets, and the consistency checks of images and labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.backbones.spec import BackboneSpec
from cnntrain.data.labels import TextLabels, number_classes, to_labels
from cnntrain.data.mapped_images import MappedImages
from cnntrain.data.pixels import BYTES, UNKNOWN, Images, Scale, choice_of, measure_scale, to_pixels, white_of
from cnntrain.errors import DataError
from cnntrain.types import Array, Labels


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Samples: images and their labels.

    Read pixels only through ``gather``: ``images`` may be an ``np.memmap`` larger than the memory, with more samples
    and in another order.

    Shape:
        images ``(M, C, H, W)``, uint8 or float32 in 0..1; labels ``(N,)``, int64, class indices.
    """

    images: Images
    labels: Labels
    rows: NDArray[np.intp] | None = None
    """``(N,)``: index into ``images`` of each sample; None: sample i is ``images[i]``, and M = N."""
    names: tuple[str, ...] | None = None
    """File of each sample; None if the samples are not separate files."""
    groups: NDArray[np.intp] | None = None
    """``(N,)``: group number of each sample; None if there are no groups."""
    views: int = 1
    """Versions of each sample: at its row in ``images`` and the following ones. Only features have several."""
    decode: Callable[[Sequence[str]], NDArray[np.uint8]] | None = None
    """Returns the pixels of files if ``images`` holds features of a pretrained network; None if it holds pixels."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_mapped(self) -> bool:
        """Whether the images are memory-mapped."""
        return isinstance(self.images, np.memmap)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape of an image, (C, H, W)."""
        _, C, H, W = self.images.shape
        return C, H, W

    def gather(self, indices: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> Images:
        """Return a copy of the pixels of the samples at ``indices``, ``(n, C, H, W)``, in that order.

        Args:
            indices: The samples, ``(n,)``.
            views: The version of each, ``(n,)``; by default the first.
        """
        rows = indices if self.rows is None else self.rows[indices]
        rows = rows if views is None else rows + views
        if isinstance(self.images, MappedImages):
            self.images.read_ahead(rows)
        images: Any = np.asarray(self.images)  # avoids the overhead of memmap
        pixels: Images = images.take(rows, axis=0)
        return pixels

    def read_ahead(self, indices: NDArray[np.intp]) -> None:
        """Begin to read the pixels of samples that are used soon, if they are on disk; of several views, none."""
        if isinstance(self.images, MappedImages) and self.views == 1:
            self.images.read_ahead(indices if self.rows is None else self.rows[indices])

    def pixels(self, indices: NDArray[np.intp]) -> Images:
        """Return the pixels of the samples at ``indices``, ``(n, C, H, W)``, to show; decoded if these are features."""
        if self.decode is None or self.names is None or len(indices) == 0:
            return self.gather(indices)
        return self.decode([self.names[i] for i in indices.tolist()])

    def counts(self, classes: int) -> NDArray[np.int64]:
        """Return the number of samples of each class, ``(classes,)``."""
        return np.bincount(self.labels, minlength=classes)

    def take(self, indices: NDArray[np.intp]) -> "Dataset":
        """Return the samples at ``indices``, in that order. Memory-mapped images stay mapped; others are copied."""
        names = None if self.names is None else tuple(self.names[i] for i in indices.tolist())
        groups = None if self.groups is None else self.groups[indices]
        if self.is_mapped or self.decode is not None:
            rows = indices if self.rows is None else self.rows[indices]
            return replace(self, labels=self.labels[indices], rows=rows, names=names, groups=groups)
        return Dataset(self.gather(indices), self.labels[indices], None, names, groups)


def concatenate(parts: list[Dataset]) -> Dataset:
    """Concatenate data sets from one source."""
    if len(parts) == 1:
        return parts[0]
    labels = np.concatenate([part.labels for part in parts])
    names = None
    if all(part.names is not None for part in parts):
        names = tuple(name for part in parts for name in part.names or ())
    if all(part.images is parts[0].images for part in parts):
        rows = [np.arange(len(part)) if part.rows is None else part.rows for part in parts]
        return replace(parts[0], labels=labels, rows=np.concatenate(rows), names=names, groups=None)
    images: list[Any] = [part.gather(np.arange(len(part))) for part in parts]
    if len({each.dtype for each in images}) > 1:  # bytes and floats in 0..1
        images = [each / np.float32(white_of(each.dtype)) for each in images]
    return Dataset(np.concatenate(images), labels, None, names)


class Splits(NamedTuple):
    """Training and test samples of a source."""

    train: Dataset
    test: Dataset | None
    classes: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """How an ambiguous source was interpreted, one line each: ``labels: column 64, 'digit'``."""
    scale: Scale = BYTES
    """Pixel scale of the source's images."""
    features: BackboneSpec | None = None
    """The network that computed the features, if the images are features."""


class PredefinedSplits(NamedTuple):
    """Splits of a source that has its own validation split."""

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    classes: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """As in ``Splits``."""
    scale: Scale = BYTES
    """As in ``Splits``."""
    features: BackboneSpec | None = None
    """As in ``Splits``."""


class Arrays(NamedTuple):
    """The raw arrays of one split, with names for error messages."""

    images: Array
    """(N, C, H, W)"""
    labels: Array | TextLabels
    images_name: str
    labels_name: str


def assemble(
    where: str,
    train: Arrays,
    test: Arrays | None = None,
    names: tuple[str, ...] | None = None,
    validation: Arrays | None = None,
    choices: tuple[str, ...] = (),
    scale: Scale | None = None,
) -> Splits | PredefinedSplits:
    """Check the arrays of a file or folder and build data sets from them.

    Args:
        where: The file or folder, for error messages.
        train: The training samples.
        test: The test samples, if any.
        names: Class names; by default the labels.
        validation: The validation samples, if the source has such a split.
        choices: How the source was interpreted; extended with how its labels were.
        scale: Pixel scale of a trained network; by default it is measured.

    Raises:
        DataError: Counts, shapes, pixels or labels are wrong.
    """
    splits = {"train": train, "validation": validation, "test": test}
    parts = {split: arrays for split, arrays in splits.items() if arrays is not None}
    for images, labels, images_name, labels_name in parts.values():
        count = len(labels.numbers if isinstance(labels, TextLabels) else labels)
        if len(images) != count:
            raise DataError(
                f"{where}: {images_name} holds {len(images):,} images, but {labels_name} holds {count:,} labels; "
                "every image needs one label"
            )
        if images.shape[1:] != train.images.shape[1:]:
            shapes = ["{} x {} x {}".format(*array.shape[1:]) for array in (images, train.images)]
            raise DataError(
                f"{where}: the images of {images_name} are {shapes[0]} (channels x rows x columns), but those of "
                f"{train.images_name} are {shapes[1]}"
            )
    if scale is None or scale == UNKNOWN:
        scale = measure_scale([arrays.images for arrays in parts.values()], by_type=scale is not None)
    pixels = [to_pixels(arrays.images, f"{where}: {arrays.images_name}", scale) for arrays in parts.values()]
    label_names = [f"{where}: {arrays.labels_name}" for arrays in parts.values()]
    read = [
        arrays.labels if isinstance(arrays.labels, TextLabels) else to_labels(arrays.labels, name)
        for arrays, name in zip(parts.values(), label_names, strict=True)
    ]
    classes = number_classes(list(zip(read, label_names, strict=True)), names)
    datasets = dict(zip(parts, map(Dataset, pixels, classes.labels), strict=True))
    choices += () if classes.choice is None else (classes.choice,)
    choices += choice_of(scale, train.images)
    if validation is None:
        return Splits(datasets["train"], datasets.get("test"), classes.names, choices, scale)
    return PredefinedSplits(
        datasets["train"], datasets["validation"], datasets.get("test"), classes.names, choices, scale
    )
