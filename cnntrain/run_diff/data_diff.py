"""Which samples differ between the data of two runs: by file name if they have one, else by split and index."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data import Data, Dataset
from cnntrain.data.duplicates import pixel_digests

MAX_LISTED = 1000
"""Maximum number of samples in each list of the result."""


@dataclass
class DataDiff:
    """The differences between two data sets."""

    changed: list[dict[str, Any]] = field(default_factory=list)
    """Samples with other pixels: ``split``, ``index``, ``name``, ``pixels`` that differ, ``max_difference``."""
    relabeled: list[dict[str, Any]] = field(default_factory=list)
    """Samples with other labels: ``split``, ``index``, ``name``, ``classes``."""
    moved: list[dict[str, Any]] = field(default_factory=list)
    """Samples in other splits: ``name``, ``splits`` and ``index``, None where a sample is missing."""
    classes: list[list[str]] | None = None
    """The class names, if they differ."""
    samples: dict[str, list[int]] = field(default_factory=dict)
    """Number of samples of each split that differs in size."""
    standardization: dict[str, list[Any]] | None = None
    """Mean and standard deviation of both, if they differ."""
    reordered: list[str] = field(default_factory=list)
    """Splits with the same samples in another order."""

    def __bool__(self) -> bool:
        return any(
            (self.changed, self.relabeled, self.moved, self.classes, self.samples, self.standardization, self.reordered)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the differences as plain data."""
        return {
            "changed": self.changed[:MAX_LISTED],
            "relabeled": self.relabeled[:MAX_LISTED],
            "moved": self.moved[:MAX_LISTED],
            "counts": {"changed": len(self.changed), "relabeled": len(self.relabeled), "moved": len(self.moved)},
            "classes": self.classes,
            "samples": self.samples,
            "standardization": self.standardization,
            "reordered": self.reordered,
        }


def diff_data(a: Data, b: Data) -> DataDiff:
    """Compare the data of two runs."""
    diff = DataDiff()
    if a.classes != b.classes:
        diff.classes = [list(a.classes), list(b.classes)]
    both = a.splits(), b.splits()
    for split in both[0]:
        sizes = [0 if splits[split] is None else len(splits[split] or ()) for splits in both]
        if sizes[0] != sizes[1]:
            diff.samples[split] = sizes
    if all(dataset is None or dataset.names is not None for splits in both for dataset in splits.values()):
        _diff_by_name(a, b, diff)
    elif not _only_moved(a, b, diff):
        for split, dataset in both[0].items():
            other = both[1][split]
            if dataset is not None and other is not None:
                _diff_by_index(split, dataset, other, a, b, diff)
    standards = [(data.preprocessing.mean, data.preprocessing.std) for data in (a, b)]
    if standards[0] != standards[1]:
        diff.standardization = {
            "mean": [list(mean) for mean, _ in standards],
            "std": [list(std) for _, std in standards],
        }
    return diff


def _only_moved(a: Data, b: Data, diff: DataDiff) -> bool:
    """Return whether both have the same samples, in other splits or another order; then list what moved."""
    places: list[defaultdict[tuple[bytes, str], list[tuple[str, int]]]] = []
    for data in (a, b):
        found: defaultdict[tuple[bytes, str], list[tuple[str, int]]] = defaultdict(list)
        for split, dataset in data.splits().items():
            for i, digest in enumerate(pixel_digests(dataset) if dataset is not None else ()):
                assert dataset is not None
                found[digest, data.classes[dataset.labels[i]]].append((split, i))
        places.append(found)
    if {key: len(at) for key, at in places[0].items()} != {key: len(at) for key, at in places[1].items()}:
        return False
    for key, at in places[0].items():
        for (split, i), (other, j) in zip(sorted(at), sorted(places[1][key]), strict=True):
            if split != other:
                diff.moved.append({"name": None, "splits": [split, other], "index": [i, j]})
            elif i != j and not diff.samples and split not in diff.reordered:
                diff.reordered.append(split)
    if diff.moved:  # then all others have other indices, too
        diff.reordered = []
    return True


def _diff_by_index(split: str, one: Dataset, other: Dataset, a: Data, b: Data, diff: DataDiff) -> None:
    digests = [pixel_digests(dataset) for dataset in (one, other)]
    for i in range(min(len(one), len(other))):
        at = {"split": split, "index": [i, i], "name": None}
        if digests[0][i] != digests[1][i]:
            diff.changed.append({**at, **_pixels(one, other, i, i)})
        classes = [a.classes[one.labels[i]], b.classes[other.labels[i]]]
        if classes[0] != classes[1]:
            diff.relabeled.append({**at, "classes": classes})


def _diff_by_name(a: Data, b: Data, diff: DataDiff) -> None:
    found: list[dict[str, tuple[str, int, bytes, str]]] = []
    for data in (a, b):
        samples: dict[str, tuple[str, int, bytes, str]] = {}
        for split, dataset in data.splits().items():
            if dataset is not None:
                for i, digest in enumerate(pixel_digests(dataset)):
                    assert dataset.names is not None
                    samples[dataset.names[i]] = split, i, digest, data.classes[dataset.labels[i]]
        found.append(samples)
    for name in dict.fromkeys([*found[0], *found[1]]):
        one, other = (samples.get(name) for samples in found)
        if one is None or other is None or one[0] != other[0]:
            splits, indices = ([None if s is None else s[k] for s in (one, other)] for k in (0, 1))
            diff.moved.append({"name": name, "splits": splits, "index": indices})
        if one is None or other is None:
            continue
        at = {"split": one[0], "index": [one[1], other[1]], "name": name}
        if one[2] != other[2]:
            datasets = a.splits()[one[0]], b.splits()[other[0]]
            assert datasets[0] is not None
            assert datasets[1] is not None
            diff.changed.append({**at, **_pixels(datasets[0], datasets[1], one[1], other[1])})
        if one[3] != other[3]:
            diff.relabeled.append({**at, "classes": [one[3], other[3]]})


def _pixels(one: Dataset, other: Dataset, i: int, j: int) -> dict[str, Any]:
    """Return how many pixel values of two images differ, and by how much; None if their shapes differ."""
    if one.image_shape != other.image_shape:
        return {"pixels": None, "of": None, "max_difference": None}
    images: list[NDArray[Any]] = [
        np.asarray(dataset.gather(np.array([at]))[0]) for dataset, at in ((one, i), (other, j))
    ]
    gap = np.abs(images[0].astype(np.float64) - images[1].astype(np.float64))
    return {"pixels": int(np.count_nonzero(gap)), "of": int(gap.size), "max_difference": float(gap.max())}
