"""``source: mnist`` and the others that are known by name: downloaded once, then read like files of one's own."""

from collections.abc import Sequence
from pathlib import Path

from cnntrain.data import cifar10, idx
from cnntrain.data.catalogue import NAMED, NamedSet
from cnntrain.data.dataset import Dataset, Splits
from cnntrain.data.fetching import Progress, fetch


def load(
    name: str, path: Path | None = None, mirrors: Sequence[str] | None = None, tell: Progress | None = None
) -> Splits:
    """The data set ``name``; it is downloaded if it is not in the cache folder yet.

    Args:
        name: A key of ``NAMED``.
        path: A folder of CIFAR-10 to read in its place.
        mirrors: URLs of folders that are tried before the data set's own servers.
        tell: How far the download is, in bytes.

    Raises:
        DataError: It can be had nowhere, or cannot be kept.
    """
    return read(NAMED[name], mirrors or (), tell) if path is None else cifar10.load(path)


def read(named: NamedSet, mirrors: Sequence[str] = (), tell: Progress | None = None) -> Splits:
    """The data set ``named``, with its classes' names and its images upright."""
    folder = fetch(named, mirrors, tell)
    splits = cifar10.load(folder) if named.kind == "cifar10" else idx.load(folder)
    upright = [_upright(split) if named.lying and split else split for split in (splits.train, splits.test)]
    assert upright[0] is not None
    return Splits(upright[0], upright[1], named.classes)


def _upright(dataset: Dataset) -> Dataset:
    """Exchange rows and columns of all images."""
    images = dataset.images.swapaxes(2, 3)
    return Dataset(images.copy(), dataset.labels)
