"""Reading many pictures at once: on all cores, in order, with no more in memory than is being worked on.

Pillow lets go of Python's lock while it decodes and resizes, so threads are enough.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.pictures.form import Form
from cnntrain.data.pictures.reading import read_picture
from cnntrain.errors import PictureError

CHUNK = 32
"""Pictures that a thread takes at a time."""
AHEAD = 3
"""Chunks a thread that may wait for whoever takes them."""


class Decoded(NamedTuple):
    """Some of the pictures, one after the other."""

    pixels: NDArray[np.uint8]
    """(n, C, H, W); zeros where a picture cannot be read."""
    unreadable: list[tuple[int, str]]
    """Places in ``pixels`` of those, and why."""


def decode(root: Path, names: Sequence[str], form: Form, threads: int) -> Iterator[Decoded]:
    """Read the pictures ``names`` of the folder ``root``, in their order, a chunk after the other."""
    chunks = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
    waiting: deque[Future[Decoded]] = deque()
    with ThreadPoolExecutor(threads, "cnntrain-decode") as pool:
        try:
            for chunk in chunks:
                waiting.append(pool.submit(decode_chunk, root, chunk, form))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def decode_chunk(root: Path, names: Sequence[str], form: Form) -> Decoded:
    """Read some pictures, one after the other."""
    pixels = np.zeros((len(names), form.channels, form.H, form.W), np.uint8)
    unreadable = []
    for place, name in enumerate(names):
        try:
            pixels[place] = read_picture(root / name, form)
        except PictureError as error:
            unreadable.append((place, error.reason))
    return Decoded(pixels, unreadable)
