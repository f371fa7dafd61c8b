"""Memory-mapped images, which may be more than fit into memory.

The system then reads images from disk when they are used, and drops others. By itself it does so page by page while the
step waits, and reads megabytes around each page. ``read_ahead`` tells it which images are used next.
"""

import mmap
import os
import weakref
from functools import cached_property
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from cnntrain.errors import DataError
from cnntrain.parallel.free_memory import free_memory
from cnntrain.parallel.mapping import above_stdio

MAX_AHEAD = 1 << 26
"""Maximum bytes to read ahead."""


class MappedImages(np.memmap[Any, np.dtype[Any]]):
    """Memory-mapped images of a file that stays open, even if it is renamed or deleted meanwhile."""

    descriptor: int

    @classmethod
    def of(cls, file: BinaryIO, offset: int, shape: tuple[int, ...], dtype: Any = np.uint8) -> Self:
        """Map the images of an open file from ``offset`` on."""
        images = cls(file, dtype, "r", offset, shape)
        images.descriptor = above_stdio(os.dup(file.fileno()))
        weakref.finalize(images, os.close, images.descriptor)
        return images

    def check(self) -> None:
        """Check that the file has not become shorter: reading beyond its end would kill the process.

        Raises:
            DataError: The file has become shorter.
        """
        if os.fstat(self.descriptor).st_size < self.offset + self.nbytes:
            raise DataError(
                f"{self.filename}: the file of decoded images or features was truncated while in use; remove it and "
                "resume the run"
            )

    @cached_property
    def reads_ahead(self) -> bool:
        """Whether the images take more than half of the free memory, and the system can be advised what to read."""
        free = free_memory()
        if free is None or self.nbytes <= free // 2 or not hasattr(mmap, "MADV_RANDOM"):
            return False
        self._advise(mmap.MADV_RANDOM, 0, self.nbytes)
        return True

    def read_ahead(self, rows: NDArray[np.intp]) -> None:
        """Begin to read images from disk without waiting for them, unless all fit into memory.

        Of images in order, also as many of the following ones: they are used next.

        Args:
            rows: Their indices, ``(n,)``; beyond ``MAX_AHEAD`` bytes they are ignored.
        """
        if not self.reads_ahead or len(rows) == 0:
            return
        size = self.nbytes // len(self)
        rows = rows[: max(1, MAX_AHEAD // size)]
        first, end = int(rows.min()), int(rows.max()) + 1
        if end - first <= 2 * len(rows):
            self._advise(mmap.MADV_WILLNEED, first * size, 2 * (end - first) * size)
        else:
            for row in rows.tolist():
                self._advise(mmap.MADV_WILLNEED, row * size, size)

    def _advise(self, advice: int, start: int, length: int) -> None:
        """Advise the system on ``length`` bytes from byte ``start`` of the images on, as far as they exist."""
        pages: mmap.mmap = self._mmap  # type: ignore[attr-defined]
        start += self.offset % mmap.ALLOCATIONGRANULARITY
        first = start - start % mmap.PAGESIZE
        pages.madvise(advice, first, min(start + length, len(pages)) - first)
