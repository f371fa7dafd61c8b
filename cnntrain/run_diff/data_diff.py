"""Which samples differ between the data of two runs: by file name if they have one, else by split and index."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data import Data, Dataset, sample_checksums
from cnntrain.data.duplicates import pixel_digests
from cnntrain.data.image_folder import split_file
from cnntrain.errors import DataError
from cnntrain.types import Labels

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


@dataclass(frozen=True)
class Samples:
    """The samples of a split, of which the pixels may be gone."""

    digests: Sequence[Any]
    """Equal for equal pixels."""
    labels: Labels
    names: Sequence[str] | None
    dataset: Dataset | None = None
    """The pixels; None if only digests were recorded."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Side:
    """The samples of one of two runs."""

    classes: Sequence[str]
    splits: dict[str, Samples]


def samples_of(data: Data) -> Side:
    """Return the samples of loaded data."""
    found = {}
    for split, dataset in data.splits().items():
        if dataset is not None:
            found[split] = Samples(pixel_digests(dataset), dataset.labels, dataset.names, dataset)
    return Side(data.classes, found)


def recorded_samples(run: Path) -> Side | None:
    """Return the samples that a run recorded; None if it has not."""
    recorded = sample_checksums.read(run / sample_checksums.NAME)
    if recorded is None:
        return None
    names: defaultdict[str, list[str]] = defaultdict(list)
    if (run / split_file.NAME).is_file():
        try:
            listed = split_file.read(run / split_file.NAME)
        except DataError:
            return None
        for name, (_, split) in listed.items():
            names[split].append(name)
    classes, splits = recorded
    if names and any(len(names[split]) != len(of.labels) for split, of in splits.items()):
        return None
    return Side(
        classes,
        {split: Samples(of.checksums.tolist(), of.labels, names[split] or None) for split, of in splits.items()},
    )


def current_checksums(data: Data) -> Side:
    """Return the samples of loaded data with digests as ``recorded_samples`` returns them."""
    found = {}
    for split, dataset in data.splits().items():
        if dataset is not None:
            found[split] = Samples(sample_checksums.checksums(dataset).tolist(), dataset.labels, dataset.names)
    return Side(data.classes, found)


def diff_data(a: Data, b: Data) -> DataDiff:
    """Compare the data of two runs."""
    diff = diff_samples(samples_of(a), samples_of(b))
    standards = [(data.preprocessing.mean, data.preprocessing.std) for data in (a, b)]
    if standards[0] != standards[1]:
        diff.standardization = {
            "mean": [list(mean) for mean, _ in standards],
            "std": [list(std) for _, std in standards],
        }
    return diff


def diff_samples(a: Side, b: Side) -> DataDiff:
    """Compare the samples of two runs."""
    diff = DataDiff()
    if list(a.classes) != list(b.classes):
        diff.classes = [list(a.classes), list(b.classes)]
    for split in dict.fromkeys([*a.splits, *b.splits]):
        sizes = [len(side.splits[split]) if split in side.splits else 0 for side in (a, b)]
        if sizes[0] != sizes[1]:
            diff.samples[split] = sizes
    if all(samples.names is not None for side in (a, b) for samples in side.splits.values()):
        _diff_by_name(a, b, diff)
    elif not _only_moved(a, b, diff):
        for split in a.splits.keys() & b.splits.keys():
            _diff_by_index(split, a, b, diff)
    return diff


def _only_moved(a: Side, b: Side, diff: DataDiff) -> bool:
    """Return whether both have the same samples, in other splits or another order; then list what moved."""
    places: list[defaultdict[tuple[Any, str], list[tuple[str, int]]]] = []
    for side in (a, b):
        found: defaultdict[tuple[Any, str], list[tuple[str, int]]] = defaultdict(list)
        for split, samples in side.splits.items():
            for i, digest in enumerate(samples.digests):
                found[digest, side.classes[samples.labels[i]]].append((split, i))
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


def _diff_by_index(split: str, a: Side, b: Side, diff: DataDiff) -> None:
    one, other = a.splits[split], b.splits[split]
    for i in range(min(len(one), len(other))):
        at = {"split": split, "index": [i, i], "name": None}
        if one.digests[i] != other.digests[i]:
            diff.changed.append({**at, **_pixels(one.dataset, other.dataset, i, i)})
        classes = [a.classes[one.labels[i]], b.classes[other.labels[i]]]
        if classes[0] != classes[1]:
            diff.relabeled.append({**at, "classes": classes})


def _diff_by_name(a: Side, b: Side, diff: DataDiff) -> None:
    found: list[dict[str, tuple[str, int]]] = []
    for side in (a, b):
        found.append({name: (split, i) for split, of in side.splits.items() for i, name in enumerate(of.names or ())})
    for name in dict.fromkeys([*found[0], *found[1]]):
        one, other = (places.get(name) for places in found)
        if one is None or other is None or one[0] != other[0]:
            splits, indices = ([None if s is None else s[k] for s in (one, other)] for k in (0, 1))
            diff.moved.append({"name": name, "splits": splits, "index": indices})
        if one is None or other is None:
            continue
        (of_a, i), (of_b, j) = (a.splits[one[0]], one[1]), (b.splits[other[0]], other[1])
        at = {"split": one[0], "index": [i, j], "name": name}
        if of_a.digests[i] != of_b.digests[j]:
            diff.changed.append({**at, **_pixels(of_a.dataset, of_b.dataset, i, j)})
        classes = [a.classes[of_a.labels[i]], b.classes[of_b.labels[j]]]
        if classes[0] != classes[1]:
            diff.relabeled.append({**at, "classes": classes})


def _pixels(one: Dataset | None, other: Dataset | None, i: int, j: int) -> dict[str, Any]:
    """Return how many pixel values of two images differ, and by how much; None if unknown or their shapes differ."""
    if one is None or other is None:
        return {"pixels": None, "of": None, "max_difference": None}
    if one.image_shape != other.image_shape:
        return {"pixels": None, "of": int(np.prod(other.image_shape)), "max_difference": None}
    images: list[NDArray[Any]] = [
        np.asarray(dataset.gather(np.array([at]))[0]) for dataset, at in ((one, i), (other, j))
    ]
    gap = np.abs(images[0].astype(np.float64) - images[1].astype(np.float64))
    return {"pixels": int(np.count_nonzero(gap)), "of": int(gap.size), "max_difference": float(gap.max())}
