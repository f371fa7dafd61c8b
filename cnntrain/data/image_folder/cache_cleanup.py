"""Finds and removes files in the cache folder that cnntrain wrote, and no others.

The folder may hold anything. A file counts as ours if its name has exactly our format and it is a regular file of this
user, not a link, in a folder that is not a link.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cnntrain.data.cache_folder import cache_folder
from cnntrain.storage import lock_file

NAME = re.compile(r"(?P<slot>[0-9a-f]{24})-[0-9a-f]{24}\.npy(?P<temporary>\.[0-9a-f]{8}\.tmp)?")
MAX_UNUSED = 60 * 86400
"""Seconds after which an unused file is removed."""
MAX_WRITTEN = 86400
"""Seconds after which a temporary file counts as left over if the file system has no locks."""


class CacheFile(NamedTuple):
    """A cache file that cnntrain wrote."""

    path: Path
    bytes: int
    age: float
    """Seconds since it was written or used."""
    slot: str
    """Digest of the image folder and image spec; for features, of the folder and the backbone."""
    is_temporary: bool
    """Whether it is incomplete: being written, or left over."""


def images_folder() -> Path:
    """Return the folder of decoded images."""
    return cache_folder() / "images"


def features_folder() -> Path:
    """Return the folder of features of pretrained networks."""
    return cache_folder() / "features"


def own_files(folder: Path) -> Iterator[CacheFile]:
    """Yield the cache files in ``folder``; none if it is a link or missing."""
    if folder.is_symlink():
        return
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        match = NAME.fullmatch(entry.name)
        if match is None:
            continue
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and is_ours(found):
                age = time.time() - found.st_mtime
                yield CacheFile(Path(entry.path), found.st_size, age, match["slot"], match["temporary"] is not None)


def is_ours(found: os.stat_result) -> bool:
    """Return whether a file belongs to this user or to root."""
    return not hasattr(os, "geteuid") or found.st_uid in (os.geteuid(), 0)


def remove(files: Iterable[CacheFile]) -> list[CacheFile]:
    """Remove files and return those removed. Files being written stay, and on Windows files in use."""
    gone = []
    for file in files:
        with suppress(OSError), _unwritten(file) if file.is_temporary else nullcontext():
            file.path.unlink()
            gone.append(file)
    return gone


def remove_unused(kept: Path) -> None:
    """Remove files that ``kept`` replaces, unused files, and leftovers of killed processes."""
    slot = kept.name.partition("-")[0]
    remove(
        file
        for file in own_files(kept.parent)
        if file.is_temporary or file.age > MAX_UNUSED or (file.slot == slot and file.path != kept)
    )


def remove_leftovers(folder: Path) -> None:
    """Remove leftovers of killed processes."""
    remove(file for file in own_files(folder) if file.is_temporary)


def write_new(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a temporary file and rename it when complete; safe with concurrent processes.

    Raises:
        OSError: The file cannot be written.
    """
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(0o700, exist_ok=True)
    remove_leftovers(path.parent)
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with create(temporary) as file:
            write(file)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def create(path: Path) -> BinaryIO:
    """Create a file that only this user can read, locked while it is open.

    Raises:
        OSError: The file cannot be created.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        if os.name != "nt":  # an open file cannot be removed there
            _lock(descriptor)
        if os.name == "nt" or os.fstat(descriptor).st_nlink:
            return os.fdopen(descriptor, "wb")
        os.close(descriptor)  # another process found it before it was locked, and removed it


def _lock(descriptor: int) -> None:
    """Lock a new file; a process that removes leftovers may hold it for a moment."""
    while True:
        with suppress(BlockingIOError):
            lock_file(descriptor)
            return
        time.sleep(0.001)


@contextmanager
def _unwritten(file: CacheFile) -> Iterator[None]:
    """Context in which no process writes a temporary file.

    Raises:
        OSError: A process writes it, or may.
    """
    if os.name == "nt":  # an open file cannot be removed
        yield
        return
    descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not lock_file(descriptor) and file.age < MAX_WRITTEN:
            raise BlockingIOError
        yield
    finally:
        os.close(descriptor)
