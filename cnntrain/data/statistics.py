"""Statistics of a data set: class counts, image sizes, mean and standard deviation."""

from pathlib import Path
from statistics import median
from typing import Any

from cnntrain.data.dataset import Dataset
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.data.splits import Data

SAMPLE = 1000
"""Maximum number of image files whose headers are read."""


def describe_data(data: Data) -> dict[str, Any]:
    """Return the statistics that ``cnntrain data info --json`` prints.

    Returns:
        ``samples`` by split, None for a missing split; ``image_shape`` (C, H, W); ``pixels``, their type;
        ``mean`` and ``std`` of each channel of the training images, pixels in 0..1, or of each feature; ``features``,
        the backbone that computed them, None for pixels; ``classes``, each with its name and its sample count per
        split; ``choices``, how the source was interpreted.
    """
    splits = data.splits()
    measured, features = Preprocessing.measure(data.train), data.preprocessing.features
    counts = {split: _counts(dataset, len(data.classes)) for split, dataset in splits.items()}
    return {
        "samples": {split: None if dataset is None else len(dataset) for split, dataset in splits.items()},
        "image_shape": list(data.input_shape if features is None else features.image_shape),
        "pixels": "uint8" if features else str(data.train.images.dtype),
        "mean": list(measured.mean),
        "features": None if features is None else features.to_dict(),
        "std": [0.0 if std == 1 else std for std in measured.std],  # 1 stands for that of a channel that is constant
        "classes": [
            {"name": name, **{split: None if count is None else count[i] for split, count in counts.items()}}
            for i, name in enumerate(data.classes)
        ],
        "choices": list(data.choices),
    }


def _counts(dataset: Dataset | None, classes: int) -> list[int] | None:
    """Samples of each class."""
    return None if dataset is None else dataset.counts(classes).tolist()


def image_sizes(data: Data, folder: Path) -> dict[str, Any] | None:
    """Return the sizes of the image files before resizing; None if the images are not files.

    Returns:
        ``smallest`` and ``largest`` by their pixels, and ``median``, each (H, W), the last of H and W separately;
        ``files``, how many were read: at most 1,000, evenly spaced.
    """
    names = [name for dataset in data.splits().values() if dataset for name in dataset.names or ()]
    if not names:
        return None
    from cnntrain.data.image_folder.decode import sample_sizes  # imported late, for Pillow

    sizes = sample_sizes(folder, names, SAMPLE)
    if not sizes:
        return None
    by_pixels = sorted(sizes, key=lambda size: size[0] * size[1])
    middle = [int(median(size[axis] for size in sizes)) for axis in (0, 1)]
    return {
        "smallest": list(by_pixels[0]),
        "median": middle,
        "largest": list(by_pixels[-1]),
        "files": len(sizes),
    }
