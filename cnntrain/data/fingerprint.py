"""A few words that change when the data do, to tell whether a run goes on with what it began with."""

from hashlib import blake2b
from typing import Any

import numpy as np

from cnntrain.data.dataset import Dataset
from cnntrain.data.splits import Data

MAX_COUNT = 256_000_000
"""Bytes of pixels of a split that are looked at; of more, as many samples as that, evenly spaced."""
PIECE = 16_000_000
"""Bytes that are gathered at a time."""


def fingerprint(data: Data) -> dict[str, Any]:
    """Return what tells these data from others: numbers and digests, by part; plain enough for JSON."""
    found: dict[str, Any] = {"classes": digest("\n".join(data.classes).encode())}
    for split, dataset in data.splits().items():
        if dataset is not None:
            found[f"{split} samples"] = len(dataset)
            found[f"{split} image shape"] = list(dataset.image_shape)
            found[f"{split} labels"] = digest(np.ascontiguousarray(dataset.labels).data)
            found[f"{split} images"] = digest_of_images(dataset)
    return found


def digest_of_images(dataset: Dataset) -> str:
    """Digest of the pixels, of all samples if they are not too many."""
    of_sample = max(1, int(np.prod(dataset.image_shape)) * dataset.images.dtype.itemsize)
    count = max(1, min(len(dataset), MAX_COUNT // of_sample))
    places = np.arange(count) * len(dataset) // count
    total = blake2b(digest_size=16)
    step = max(1, PIECE // of_sample)
    for start in range(0, count, step):
        total.update(np.ascontiguousarray(dataset.gather(places[start : start + step])).data)
    return total.hexdigest()


def digest(content: Any) -> str:
    """Digest of bytes."""
    return blake2b(content, digest_size=16).hexdigest()


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words what differs: ``train samples: 40 then, 50 now``, ``test images differ``."""
    told = []
    for part in [*before, *(part for part in now if part not in before)]:
        old, new = before.get(part), now.get(part)
        if old == new:
            continue
        hidden = isinstance(old, str) or isinstance(new, str)  # a digest says nothing to people
        told.append(f"{part} differ" if hidden else f"{part}: {_said(old)} then, {_said(new)} now")
    return told


def _said(value: Any) -> str:
    return "none" if value is None else " x ".join(map(str, value)) if isinstance(value, list) else f"{value:,}"
