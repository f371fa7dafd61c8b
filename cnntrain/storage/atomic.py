"""A file takes another's place whole, or not at all.

::

    make a temporary file beside it -> write -> fsync -> read back and compare -> rename -> fsync of the folder

Only a file that has been read back takes a name. Without the first fsync a loss of power could leave the name with
nothing behind it, without the second the old file in its place.
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
    """Write ``content`` to ``path``.

    Raises:
        OSError: It could not be written; what was at ``path`` is still there.
    """
    with new_file(path, content, disk) as temporary:
        disk.replace(temporary, path)
    disk.sync_folder(path.parent)


@contextmanager
def new_file(path: Path, content: bytes, disk: Disk = DISK) -> Iterator[Path]:
    """Context with a temporary file beside ``path`` that holds ``content`` for certain; it takes the name of ``path``.

    If the block does not rename it, it is taken away.
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
            raise OSError(errno.EIO, "what was read back is not what was written")
        yield temporary
    except BaseException as error:
        with suppress(OSError):
            disk.unlink(temporary)
        if isinstance(error, OSError):  # nobody knows the temporary name
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_new(path: Path, content: bytes, disk: Disk = DISK) -> None:
    """Write ``content`` to ``path``, where nothing may be: no file, no folder, and no link, wherever it leads.

    Raises:
        FileExistsError: Something is there, perhaps only since a moment ago.
        OSError: It could not be written; nothing is at ``path``.
    """
    if is_taken(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with new_file(path, content, disk) as temporary:
        try:
            os.link(temporary, path)  # a renamed file would take the place of another
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
    """Whether there is anything at ``path``, a link that leads nowhere included."""
    return os.path.lexists(path)


def write_text(path: Path, text: str, disk: Disk = DISK) -> None:
    """Write ``text`` as UTF-8; see ``write_file``."""
    write_file(path, text.encode(), disk)


def write_json(path: Path, content: Any, disk: Disk = DISK) -> None:
    """Write ``content`` as JSON that people can read; see ``write_file``."""
    write_text(path, json.dumps(content, indent=2) + "\n", disk)


def sweep(folder: Path, names: Collection[str], disk: Disk = DISK) -> None:
    """Take away the temporary files of ``names`` that a process left in ``folder`` when it was killed."""
    for path in folder.iterdir():
        if is_temporary(path, names):
            with suppress(FileNotFoundError):
                disk.unlink(path)


def is_temporary(path: Path, names: Collection[str]) -> bool:
    """Whether ``path`` has a name that ``new_file`` gives to one of ``names`` for a moment, and is a file."""
    return bool(_TEMPORARY.fullmatch(path.name)) and path.name[: -len(".0123abcd.tmp")] in names and path.is_file()
