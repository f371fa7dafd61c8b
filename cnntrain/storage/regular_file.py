"""Safe access to untrusted paths, which may be pipes, devices, huge files or links."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        OSError: The file cannot be opened, or is a pipe or a device, which could block forever.
    """
    _check(path, path.stat().st_mode)  # even opening a device may have side effects
    file = open(path, "rb", opener=without_waiting)  # noqa: SIM115 - the caller's
    try:
        _check(path, os.fstat(file.fileno()).st_mode)  # it may have been replaced meanwhile
    except OSError:
        file.close()
        raise
    return file


def _check(path: Path, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder raises a clear error
        raise OSError(errno.EINVAL, "this is a pipe or a device, not a file", str(path))


def without_waiting(path: str, flags: int) -> int:
    """Open a file without blocking on a pipe; an ``opener`` for ``open``."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_file(path: Path, most: int) -> bytes:
    """Return the contents of a file.

    Raises:
        OSError: As for ``open_regular``, or the file has more than ``most`` bytes.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def make_subfolder(folder: Path) -> None:
    """Create a folder inside another if it is missing. A link in its place is not followed.

    Raises:
        OSError: The folder cannot be created.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "this is a link, and nothing is written to where it leads", str(folder))
    folder.mkdir(exist_ok=True)
