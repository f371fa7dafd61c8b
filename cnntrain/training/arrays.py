"""The data of a config as arrays, for use in Python: ``cnntrain.load_data``."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnntrain.config import ConfigLike, as_config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.data.pixels import Images
from cnntrain.network.array_layout import to_edge
from cnntrain.ops.phases import memory_shape
from cnntrain.training.events import Note
from cnntrain.training.load_data import load_events
from cnntrain.training.progress import ProgressBar
from cnntrain.types import Array, Labels


class SplitArrays:
    """The samples of one split.

    Attributes:
        labels: Class indices ``(N,)``.
        files: The file of each sample; None if the samples are not separate files.
    """

    def __init__(self, dataset: Dataset, preprocessing: Preprocessing, dtype: str):
        self._dataset, self._preprocessing, self._dtype = dataset, preprocessing, dtype
        self.labels: Labels = dataset.labels
        self.files: tuple[str, ...] | None = dataset.names

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = (len(self), *self._dataset.image_shape)
        return f"images {' x '.join(map(str, shape))} {self._dataset.images.dtype.name}"

    def __dir__(self) -> list[str]:
        return ["files", "images", "labels", "x"]

    @cached_property
    def images(self) -> Images:
        """The pixels ``(N, C, H, W)``, uint8, or float32 in 0..1."""
        return self._dataset.gather(np.arange(len(self)))

    @cached_property
    def x(self) -> Array:
        """What the network sees, ``(N, C, H, W)`` in ``training.dtype``: the pixels, preprocessed."""
        C, H, W = self._dataset.image_shape
        columns = np.empty((*memory_shape((H, C, W)), len(self)), self._dtype)
        self._preprocessing.columns(self.images, columns)
        return np.ascontiguousarray(to_edge(columns, (H, C, W)))


@dataclass(frozen=True, repr=False)
class DataArrays:
    """The data of a config: splits and class names.

    Attributes:
        train: Training samples, without those held out for validation.
        validation: Validation samples, or None.
        test: Test samples, or None.
        classes: Name of each class; label i is ``classes[i]``.
    """

    train: SplitArrays
    validation: SplitArrays | None
    test: SplitArrays | None
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        lines = [f"{name:<10} {split}" for name, split in splits.items() if split is not None]
        names = ", ".join(map(repr, self.classes[:10])) + (", ..." if len(self.classes) > 10 else "")
        return "\n".join([*lines, f"classes    {len(self.classes)}: {names}"])

    def __dir__(self) -> list[str]:
        return ["classes", "test", "train", "validation"]


def load_data(config: ConfigLike) -> DataArrays:
    """Load the data of a config as arrays, split and preprocessed as in training.

    Notes on the data are issued as ``UserWarning``.

    Args:
        config: A config, its path, or a dict as ``load_config`` takes it; only ``data`` and ``training.seed`` matter.

    Returns:
        The splits ``train``, ``validation`` and ``test``, each with ``images``, ``labels`` and ``x``, and ``classes``.

    Raises:
        ConfigError: The config is invalid or has no data section.
        DataError: The data are missing or malformed.

    Examples:
        >>> import cnntrain
        >>> data = cnntrain.load_data("digits")
        >>> data.train.images.shape, data.train.images.dtype, data.classes[:3]
        ((1293, 1, 8, 8), dtype('uint8'), ('0', '1', '2'))
        >>> network = cnntrain.build("digits")
        >>> network.forward(data.test.x[:2]).shape
        (2, 10)
    """
    config = as_config(config)
    bar, events = ProgressBar(), load_events(config)
    try:
        while True:
            event = next(events)
            if isinstance(event, Note):
                warnings.warn(event.text, stacklevel=2)
            bar.show(event)
    except StopIteration as end:
        data: Data = end.value
    finally:
        bar.close()
    splits = [
        None if dataset is None else SplitArrays(dataset, data.preprocessing, config.training.dtype)
        for dataset in (data.train, data.validation, data.test)
    ]
    train, validation, test = splits
    assert train is not None
    return DataArrays(train, validation, test, data.classes)
