"""``source: mnist`` and the others that are known by name: downloaded once, then read like files of one's own."""

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
    """The data set ``name``; it is downloaded if it is not in the cache folder yet.

    Args:
        name: A key of ``REGISTRY``.
        path: A folder that holds its files; then nothing is downloaded.
        mirrors: URLs of folders that are tried before the data set's own servers.
        on_progress: How far the download is, in bytes.

    Raises:
        DataError: It can be had nowhere, cannot be kept, or the folder does not hold it.
    """
    named = REGISTRY[name]
    if path is None:
        return read(named, fetch(named, mirrors or (), on_progress))
    if not path.exists():
        raise DataError(f"{path}: there is no such folder; without data.path cnntrain downloads {name}")
    # CIFAR-10's folder has names of its own
    splits = cifar10.load(path) if named.kind == "cifar10" else read(named, path)
    return splits._replace(choices=(*splits.choices, f"files: {path}"))


def read(named: DatasetInfo, folder: Path) -> Splits | PredefinedSplits:
    """The files of ``named`` in ``folder``, with the names of the classes, images upright."""
    if named.kind == "cifar10":
        return cifar10.load(folder)._replace(classes=named.classes)
    splits = idx.load(folder, named.classes)
    if not named.transposed:
        return splits
    return Splits(_upright(splits.train), splits.test and _upright(splits.test), splits.classes)


def _upright(dataset: Dataset) -> Dataset:
    """Exchange rows and columns of all images."""
    images = dataset.images.swapaxes(2, 3)
    return Dataset(images.copy(), dataset.labels)
