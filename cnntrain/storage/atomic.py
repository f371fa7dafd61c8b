"""Atomic file writes: a file is replaced completely or not at all.

::

    create a temporary file next to it -> write -> fsync -> read back and compare -> rename -> fsync the folder

A file is renamed only after it has been verified. Without the first fsync a power failure could leave an empty file;
without the second, the old file.
"""

import errno
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnntrain.storage.disk import DISK, Disk

_TEMPORARY = re.compile(r".+\.[0-9a-f]{8}\.tmp")


def write_file(path: Path, content: bytes, disk: Disk = DISK) -> None:
    """Write ``content`` to ``path`` atomically.

    Raises:
        OSError: The file could not be written; the old file is still there.
    """
    with new_file(path, content, disk) as temporary:
        disk.replace(temporary, path)
    disk.sync_folder(path.parent)


@contextmanager
def new_file(path: Path, content: bytes, disk: Disk = DISK) -> Iterator[Path]:
    """Context with a verified temporary file next to ``path`` that holds ``content``, to be renamed to ``path``.

    If the block raises, the file is removed.
    """
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        file = disk.create(temporary)
        try:
            disk.write(file, content, temporary)
            disk.sync(file, temporary)
        finally:
            disk.close(file)
        if not disk.holds(temporary, content):
            raise OSError(errno.EIO, "the data read back differ from the data written")
        yield temporary
    except BaseException as error:
        with suppress(OSError):
            disk.unlink(temporary)
        if isinstance(error, OSError):  # hide the temporary name
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_new(path: Path, content: bytes, disk: Disk = DISK) -> None:
    """Write ``content`` to ``path``, which must not exist, not even as a broken link.

    Raises:
        FileExistsError: ``path`` exists.
        OSError: The file could not be written; ``path`` does not exist.
    """
    if is_taken(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with new_file(path, content, disk) as temporary:
        try:
            os.link(temporary, path)  # a rename would replace an existing file
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            with path.open("xb") as file:
                try:
                    file.write(content)
                    file.flush()
                except OSError:
                    path.unlink()
                    raise
        disk.unlink(temporary)
    disk.sync_folder(path.parent)


def is_taken(path: Path) -> bool:
    """Return whether ``path`` exists, even as a broken link."""
    return os.path.lexists(path)


def write_text(path: Path, text: str, disk: Disk = DISK) -> None:
    """Write ``text`` as UTF-8; see ``write_file``."""
    write_file(path, text.encode(), disk)


def write_json(path: Path, content: Any, disk: Disk = DISK) -> None:
    """Write ``content`` as indented JSON; see ``write_file``."""
    write_text(path, json.dumps(content, indent=2) + "\n", disk)


def sweep(folder: Path, names: Collection[str], disk: Disk = DISK) -> None:
    """Remove temporary files of ``names`` that a killed process left in ``folder``."""
    for path in folder.iterdir():
        if is_temporary(path, names):
            with suppress(FileNotFoundError):
                disk.unlink(path)


def is_temporary(path: Path, names: Collection[str]) -> bool:
    """Return whether ``path`` is a temporary file that ``new_file`` creates for one of ``names``."""
    return bool(_TEMPORARY.fullmatch(path.name)) and path.name[: -len(".0123abcd.tmp")] in names and path.is_file()
