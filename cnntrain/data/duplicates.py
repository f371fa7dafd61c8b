"""Images that occur more than once: across splits they flatter the test accuracy, across classes they contradict."""

from collections import defaultdict
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset
from cnntrain.data.splits import Data

CHUNK = 16_000_000
"""Bytes of pixels to gather at a time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a split."""

    split: str
    index: int
    label: int
    name: str | None
    """Its file, if the samples are separate files."""

    def __str__(self) -> str:
        return f"{self.split}[{self.index}]" if self.name is None else repr(self.name)


def pixel_digest(image: NDArray[np.generic]) -> bytes:
    """Return a digest of an image, equal for equal pixels."""
    return blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def pixel_digests(dataset: Dataset) -> list[bytes]:
    """Return the digest of each sample's pixels."""
    digests: list[bytes] = []
    step = max(1, CHUNK // max(1, int(np.prod(dataset.image_shape)) * dataset.images.dtype.itemsize))
    for start in range(0, len(dataset), step):
        digests += map(pixel_digest, dataset.gather(np.arange(start, min(len(dataset), start + step))))
    return digests


def find_duplicates(data: Data) -> list[list[Sample]]:
    """Return the groups of samples with identical pixels, within a split and across splits."""
    groups: defaultdict[bytes, list[Sample]] = defaultdict(list)
    for split, dataset in data.splits().items():
        if dataset is None:
            continue
        for i, digest in enumerate(pixel_digests(dataset)):
            name = None if dataset.names is None else dataset.names[i]
            groups[digest].append(Sample(split, i, int(dataset.labels[i]), name))
    return [group for group in groups.values() if len(group) > 1]
