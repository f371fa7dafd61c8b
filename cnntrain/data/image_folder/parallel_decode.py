"""Decodes many images in parallel, in order, with a bounded number in memory.

Pillow releases the GIL while it decodes and resizes, so threads are enough. For small files, most of the time is spent
in Python, and threads get in each other's way: two take twice as long as one for images of 28 x 28 pixels.
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
from cnntrain.parallel.cores import available_cores
from cnntrain.parallel.ordered_results import ordered_results

CHUNK = 32
"""Images per task."""
AHEAD = 3
"""Tasks per thread that may be decoded ahead of the consumer."""


SMALL_FILE = 7000
"""Mean bytes of files up to which one thread is the fastest: those of JPEGs of 128 x 128 pixels."""


def threads_for(sizes: Sequence[int]) -> int:
    """Return the number of threads that decode files of these sizes, in bytes."""
    return 1 if sum(sizes) <= SMALL_FILE * len(sizes) else available_cores()


class Decoded(NamedTuple):
    """A chunk of decoded images."""

    pixels: NDArray[np.uint8]
    """(n, C, H, W); zeros for unreadable images."""
    unreadable: list[tuple[int, str]]
    """Index in ``pixels`` and reason of each unreadable image."""


def decode(root: Path, names: Sequence[str], spec: ImageSpec, threads: int) -> Iterator[Decoded]:
    """Decode images of the folder ``root``; yield them in order, in chunks."""
    chunks = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
    pool = ThreadPoolExecutor(threads, "cnntrain-decode")
    return ordered_results(pool, (pool.submit(decode_chunk, root, chunk, spec) for chunk in chunks), AHEAD * threads)


def decode_chunk(root: Path, names: Sequence[str], spec: ImageSpec) -> Decoded:
    """Decode one chunk of images."""
    pixels = np.zeros((len(names), spec.channels, spec.H, spec.W), np.uint8)
    unreadable = []
    for index, name in enumerate(names):
        try:
            pixels[index] = read_image(root / name, spec)
        except ImageError as error:
            unreadable.append((index, error.reason))
    return Decoded(pixels, unreadable)
