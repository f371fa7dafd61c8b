"""What there is in a data set: how many of which class, how large, how bright."""

from typing import Any

import numpy as np

from cnntrain.data.dataset import Dataset
from cnntrain.data.loaded import Data
from cnntrain.data.preprocessing import Preprocessing


def facts(data: Data) -> dict[str, Any]:
    """Count and measure ``data``: what ``cnntrain data info --json`` prints.

    Returns:
        ``samples`` by split, None where there is no such split; ``image_shape`` (C, H, W); ``pixels``, their type;
        ``mean`` and ``std`` of each channel of the training images, pixels in 0..1; ``classes``, each with its name and
        how many samples of each split are of it.
    """
    splits = data.splits()
    measured = Preprocessing.measure(data.train)
    counts = {split: _counts(dataset, len(data.classes)) for split, dataset in splits.items()}
    return {
        "samples": {split: None if dataset is None else len(dataset) for split, dataset in splits.items()},
        "image_shape": list(data.input_shape),
        "pixels": str(data.train.images.dtype),
        "mean": list(measured.mean),
        "std": [0.0 if std == 1 else std for std in measured.std],  # 1 stands for that of a channel that is constant
        "classes": [
            {"name": name, **{split: None if count is None else count[i] for split, count in counts.items()}}
            for i, name in enumerate(data.classes)
        ],
    }


def _counts(dataset: Dataset | None, classes: int) -> list[int] | None:
    """Samples of each class."""
    return None if dataset is None else np.bincount(dataset.labels, minlength=classes).tolist()
