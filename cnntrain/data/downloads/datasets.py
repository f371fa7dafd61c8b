"""``source: mnist`` and other data sets known by name: downloaded once, then read like local files."""

from collections.abc import Sequence
from pathlib import Path

from cnntrain.data.dataset import Dataset, PredefinedSplits, Splits
from cnntrain.data.downloads.fetch import Progress, fetch
from cnntrain.data.downloads.registry import REGISTRY, DatasetInfo
from cnntrain.data.formats import cifar10, idx
from cnntrain.errors import DataError


def load(
    name: str, path: Path | None = None, mirrors: Sequence[str] | None = None, on_progress: Progress | None = None
) -> Splits | PredefinedSplits:
    """Load the data set ``name``; download it if it is not in the cache folder.

    Args:
        name: A key of ``REGISTRY``.
        path: A folder with its files; nothing is downloaded then.
        mirrors: URLs of folders to try before the data set's own servers.
        on_progress: Receives the download progress in bytes.

    Raises:
        DataError: The download fails, cannot be stored, or the folder does not hold the data set.
    """
    named = REGISTRY[name]
    if path is None:
        return read(named, fetch(named, mirrors or (), on_progress))
    if not path.exists():
        raise DataError(f"{path}: there is no such folder; without data.path cnntrain downloads {name}")
    # a CIFAR-10 folder has its own class names
    splits = cifar10.load(path) if named.kind == "cifar10" else read(named, path)
    return splits._replace(choices=(*splits.choices, f"files: {path}"))


def read(named: DatasetInfo, folder: Path) -> Splits | PredefinedSplits:
    """Read the files of ``named`` in ``folder``, with class names and upright images."""
    if named.kind == "cifar10":
        return cifar10.load(folder)._replace(classes=named.classes)
    splits = idx.load(folder, named.classes)
    if not named.transposed:
        return splits
    return Splits(_upright(splits.train), splits.test and _upright(splits.test), splits.classes)


def _upright(dataset: Dataset) -> Dataset:
    """Swap rows and columns of all images."""
    images = dataset.images.swapaxes(2, 3)
    return Dataset(images.copy(), dataset.labels)
