"""Shared memory that needs no cleanup.

On Linux it is an anonymous file in memory (``memfd_create``), on other Unix systems an unlinked temporary file, on
Windows a named mapping that vanishes with its last user. None of them outlives the processes, however these end, and
none needs ``/dev/shm``, which has only 64 MB in many containers.
"""

import mmap
import os
import sys
from collections.abc import Mapping as AnyMapping
from typing import Any

import numpy as np

from cnntrain.errors import WorkerError
from cnntrain.types import Array

ALIGNMENT = 4096
"""Each array starts on its own page, so no two ranks write to the same cache line."""

Fields = AnyMapping[str, tuple[tuple[int, ...], str]]
"""Name -> shape and dtype of an array."""


class SharedArrays:
    """Arrays in shared memory, by name.

    Args:
        fields: Shapes and types of the arrays.
        handle: Handle of existing shared memory; None creates new memory.

    Raises:
        WorkerError: There is not enough memory.
    """

    def __init__(self, fields: Fields, handle: int | str | None = None):
        starts, size = {}, 0
        for name, (shape, dtype) in fields.items():
            starts[name] = size
            length = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            size += -(-max(1, length) // ALIGNMENT) * ALIGNMENT
        self.fields = fields
        self.handle = new_memory(size) if handle is None else handle
        try:
            self.memory = open_memory(self.handle, size)
        except (OSError, ValueError) as error:
            self.close()
            raise out_of_memory(size, error) from error
        self.arrays: dict[str, Array] = {
            name: np.ndarray(shape, dtype, self.memory, starts[name]) for name, (shape, dtype) in fields.items()
        }

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def to_json(self) -> dict[str, Any]:
        """Return what another process needs to open the arrays, as plain JSON types."""
        return {"fields": {name: [list(shape), dtype] for name, (shape, dtype) in self.fields.items()}}

    def close(self) -> None:
        """Close the handle; the memory is freed with the last array."""
        if isinstance(self.handle, int):
            os.close(self.handle)


def new_memory(size: int) -> int | str:
    """Create and reserve ``size`` bytes of memory; return a file descriptor, or a name on Windows."""
    if os.name == "nt":
        return f"cnntrain-{os.urandom(16).hex()}"
    problem: OSError | None = None
    for open_file in (memory_file, unnamed_file):
        try:
            descriptor = open_file()
        except OSError as error:
            problem = error
            continue
        try:
            # Reserve now: a page missing later would kill the process (SIGBUS).
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                os.ftruncate(descriptor, size)
        except OSError as error:
            os.close(descriptor)
            problem = error
        else:
            return descriptor
    raise out_of_memory(size, problem)


def out_of_memory(size: int, problem: Exception | None) -> WorkerError:
    """Return the error for missing memory."""
    reason = problem.strerror if isinstance(problem, OSError) else problem
    return WorkerError(
        f"the workers need {size / 1e6:,.0f} MB of shared memory, and there is no room for it ({reason}); "
        "--workers 1 needs none"
    )


def memory_file() -> int:
    """Create an anonymous file in memory."""
    if not hasattr(os, "memfd_create"):
        raise OSError("no memfd_create")
    return above_stdio(os.memfd_create("cnntrain"))


def unnamed_file() -> int:
    """Create an unlinked temporary file on disk."""
    import tempfile  # seldom needed

    with tempfile.TemporaryFile() as file:
        return above_stdio(os.dup(file.fileno()))


def above_stdio(descriptor: int) -> int:
    """Move a descriptor above 0, 1 and 2, which may be free if streams are closed; a child uses its own."""
    if sys.platform == "win32" or descriptor > 2:
        return descriptor
    import fcntl  # not on Windows

    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved


def open_memory(handle: int | str, size: int) -> mmap.mmap:
    """Map the memory of a handle."""
    if isinstance(handle, str):
        return mmap.mmap(-1, size, tagname=handle)  # type: ignore[call-arg, unused-ignore]
    return mmap.mmap(handle, size)
