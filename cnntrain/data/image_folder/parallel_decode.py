"""Reading many images at once: on all cores, in order, with no more in memory than is being worked on.

Pillow lets go of Python's lock while it decodes and resizes, so threads are enough.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError
from cnntrain.parallel.ordered_results import ordered_results

CHUNK = 32
"""Images that a thread takes at a time."""
AHEAD = 3
"""Chunks a thread that may wait for whoever takes them."""


class Decoded(NamedTuple):
    """Some of the images, one after the other."""

    pixels: NDArray[np.uint8]
    """(n, C, H, W); zeros where an image cannot be read."""
    unreadable: list[tuple[int, str]]
    """Places in ``pixels`` of those, and why."""


def decode(root: Path, names: Sequence[str], spec: ImageSpec, threads: int) -> Iterator[Decoded]:
    """Read the images ``names`` of the folder ``root``, in their order, a chunk after the other."""
    chunks = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
    pool = ThreadPoolExecutor(threads, "cnntrain-decode")
    return ordered_results(pool, (pool.submit(decode_chunk, root, chunk, spec) for chunk in chunks), AHEAD * threads)


def decode_chunk(root: Path, names: Sequence[str], spec: ImageSpec) -> Decoded:
    """Read some images, one after the other."""
    pixels = np.zeros((len(names), spec.channels, spec.H, spec.W), np.uint8)
    unreadable = []
    for place, name in enumerate(names):
        try:
            pixels[place] = read_image(root / name, spec)
        except ImageError as error:
            unreadable.append((place, error.reason))
    return Decoded(pixels, unreadable)
