"""Files and folders of which nothing is known: a name may lead to a pipe, a device, too much, or somewhere else."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises:
        OSError: It cannot be opened, or is a pipe or a device, which could keep the program waiting for ever.
    """
    _check(path, path.stat().st_mode)  # opening a device may do something already
    file = open(path, "rb", opener=without_waiting)  # noqa: SIM115 - the caller's
    try:
        _check(path, os.fstat(file.fileno()).st_mode)  # another may have come into its place
    except OSError:
        file.close()
        raise
    return file


def _check(path: Path, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder says by itself that it is one
        raise OSError(errno.EINVAL, "this is no file, but a pipe or a device", str(path))


def without_waiting(path: str, flags: int) -> int:
    """Open a file for ``open``, whose ``opener`` this is: a pipe in its place does not keep the program waiting."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_file(path: Path, most: int) -> bytes:
    """Return all that is in a file.

    Raises:
        OSError: As ``open_regular``, or there are more than ``most`` bytes.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def make_subfolder(folder: Path) -> None:
    """Make a folder inside another, if it is not there. A link in its place could lead anywhere, and is not followed.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "this is a link, and nothing is written to where it leads", str(folder))
    folder.mkdir(exist_ok=True)
