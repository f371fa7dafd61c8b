"""A fingerprint of the data, to check that a run resumes with the same data."""

import json
from hashlib import blake2b
from typing import Any

import numpy as np

from cnntrain.data.dataset import Dataset
from cnntrain.data.splits import Data

MAX_BYTES = 256_000_000
"""Maximum bytes of pixels to hash per split; of larger splits, evenly spaced samples."""
CHUNK = 16_000_000
"""Bytes to gather at a time."""


def fingerprint(data: Data) -> dict[str, Any]:
    """Return sizes and digests of the data by part, as plain JSON types."""
    found: dict[str, Any] = {"classes": digest("\n".join(data.classes).encode())}
    for split, dataset in data.splits().items():
        if dataset is not None:
            found[f"{split} samples"] = len(dataset)
            found[f"{split} image shape"] = list(dataset.image_shape)
            found[f"{split} labels"] = digest(np.ascontiguousarray(dataset.labels).data)
            found[f"{split} images"] = digest_of_images(dataset)
    if data.preprocessing.features is not None:
        spec = data.preprocessing.features.to_dict() | {"backbone": ""}  # its name may change
        found["features"] = digest(json.dumps(spec).encode())
    return found


def digest_of_images(dataset: Dataset) -> str:
    """Return a digest of the pixels, of evenly spaced samples if there are too many."""
    sample_bytes = max(1, int(np.prod(dataset.image_shape)) * dataset.images.dtype.itemsize)
    count = max(1, min(len(dataset), MAX_BYTES // sample_bytes))
    indices = np.arange(count) * len(dataset) // count
    total = blake2b(digest_size=16)
    step = max(1, CHUNK // sample_bytes)
    for start in range(0, count, step):
        total.update(np.ascontiguousarray(dataset.gather(indices[start : start + step])).data)
    return total.hexdigest()


def digest(content: Any) -> str:
    """Return the digest of bytes."""
    return blake2b(content, digest_size=16).hexdigest()


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Describe the differences: ``train samples: 40 then, 50 now``, ``test images differ``."""
    messages = []
    for part in [*before, *(part for part in now if part not in before)]:
        old, new = before.get(part), now.get(part)
        if old == new:
            continue
        hidden = isinstance(old, str) or isinstance(new, str)  # a digest means nothing to users
        messages.append(f"{part} differ" if hidden else f"{part}: {_format(old)} then, {_format(new)} now")
    return messages


def _format(value: Any) -> str:
    return "none" if value is None else " x ".join(map(str, value)) if isinstance(value, list) else f"{value:,}"
