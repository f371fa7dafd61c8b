"""Computes the features of many images in parallel, in order, with a bounded number of images in memory.

Pillow and ONNX Runtime release the GIL, so threads use all cores. Each image is decoded and computed on one thread,
alone: its features do not depend on the number of threads, nor on the other images.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.backbones.backbone import Backbone
from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_folder.views import view
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError
from cnntrain.parallel.ordered_results import ordered_results

CHUNK = 8
"""Images per task."""
AHEAD = 3
"""Tasks per thread that may be computed ahead of the consumer."""


class Extracted(NamedTuple):
    """The features of a chunk of images."""

    features: NDArray[np.float32]
    """(n * views, C, H, W), all views of an image in a row; zeros for unreadable images."""
    unreadable: list[tuple[int, str]]
    """Index in the chunk and reason of each unreadable image."""


def extract(
    root: Path,
    names: Sequence[str],
    spec: ImageSpec,
    backbone: Backbone,
    known: Mapping[int, NDArray[np.float32]],
    threads: int,
) -> Iterator[Extracted]:
    """Compute the features of images of the folder ``root``; yield them in order, in chunks.

    Args:
        root: The folder.
        names: The images.
        spec: How they are decoded.
        backbone: The network.
        known: Index -> features ``(views, C, H, W)`` that need not be computed.
        threads: Number of threads.
    """
    if len(known) < len(names):
        _ = backbone.runner  # created once, before threads share it

    def compute(start: int) -> Extracted:
        chunk = range(start, min(start + CHUNK, len(names)))
        features = np.zeros((len(chunk), backbone.spec.views, *backbone.spec.shape), np.float32)
        unreadable = []
        for place, index in enumerate(chunk):
            if index in known:
                features[place] = known[index]
                continue
            try:
                image = read_image(root / names[index], spec)
            except ImageError as error:
                unreadable.append((place, error.reason))
                continue
            features[place] = all_views(image, backbone)
        return Extracted(features.reshape(-1, *backbone.spec.shape), unreadable)

    pool = ThreadPoolExecutor(threads, "cnntrain-features")
    return ordered_results(pool, (pool.submit(compute, i) for i in range(0, len(names), CHUNK)), AHEAD * threads)


def all_views(image: NDArray[np.uint8], backbone: Backbone) -> NDArray[np.float32]:
    """Return the features ``(views, C, H, W)`` of all views of an image."""
    views = range(backbone.spec.views)
    return np.stack([backbone.features(np.ascontiguousarray(view(image, number))) for number in views])
