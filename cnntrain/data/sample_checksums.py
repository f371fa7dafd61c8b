"""``samples.npz``: a checksum of each sample's pixels, to name the images that changed after a run.

The fingerprint in a checkpoint tells whether the data are the same, this file which samples are not. It is written
once, when a run starts. Data of more than ``MAX_BYTES`` of pixels have none.
"""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.dataset import Dataset
from cnntrain.data.duplicates import CHUNK
from cnntrain.data.splits import Data
from cnntrain.storage import read_file, write_file

NAME = "samples.npz"
MAX_BYTES = 256_000_000
"""Maximum bytes of pixels of a split."""
MAX_FILE = 256_000_000
"""Maximum size of a file to read."""
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run recorded of the samples of a split."""

    checksums: NDArray[np.uint32]
    labels: NDArray[np.int64]


def checksums(dataset: Dataset) -> NDArray[np.uint32]:
    """Return the CRC-32 of each sample's pixels, ``(N,)``."""
    step = max(1, CHUNK // bytes_of_sample(dataset))
    found: list[int] = []
    for start in range(0, len(dataset), step):
        images = np.ascontiguousarray(dataset.gather(np.arange(start, min(len(dataset), start + step))))
        found += [zlib.crc32(pixels.data) for pixels in images.reshape(len(images), -1)]
    return np.array(found, np.uint32)


def bytes_of_sample(dataset: Dataset) -> int:
    """Return the size of an image in bytes."""
    return max(1, int(np.prod(dataset.image_shape)) * dataset.images.dtype.itemsize)


def write(path: Path, data: Data) -> None:
    """Write the checksums of all splits, unless one is too large."""
    splits = {split: dataset for split, dataset in data.splits().items() if dataset is not None}
    if any(len(dataset) * bytes_of_sample(dataset) > MAX_BYTES for dataset in splits.values()):
        return
    arrays: dict[str, Any] = {"classes": np.frombuffer(json.dumps(list(data.classes)).encode(), np.uint8)}
    for split, dataset in splits.items():
        arrays[f"{split}_checksums"] = checksums(dataset)
        arrays[f"{split}_labels"] = dataset.labels.astype(np.int32)
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_file(path, content.getvalue())


def read(path: Path) -> tuple[list[str], dict[str, Recorded]] | None:
    """Return class names and samples by split; None if there is no intact file."""
    try:
        with np.load(io.BytesIO(read_file(path, MAX_FILE)), allow_pickle=False) as file:
            classes = [str(name) for name in json.loads(file["classes"].astype(np.uint8).tobytes())]
            found = {}
            for split in SPLITS:
                if f"{split}_labels" in file:
                    sums, labels = file[f"{split}_checksums"], file[f"{split}_labels"]
                    if (
                        sums.ndim != 1
                        or sums.shape != labels.shape
                        or sums.dtype.kind != "u"
                        or labels.dtype.kind != "i"
                    ):
                        return None
                    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
                        return None
                    found[split] = Recorded(sums.astype(np.uint32), labels.astype(np.int64))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError):
        return None
    return classes, found
