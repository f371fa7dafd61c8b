"""Which files in the cache folder are decoded images that cnntrain wrote: only those are ever removed.

The folder may be anyone's, and hold anything. A file counts as ours by the exact form of its name, if it is a regular
file of this user and no link, in a folder that is no link either.
"""

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cnntrain.data.cache_folder import cache_folder
from cnntrain.storage import lock_file

NAME = re.compile(r"(?P<slot>[0-9a-f]{24})-[0-9a-f]{24}\.npy(?P<temporary>\.[0-9a-f]{8}\.tmp)?")
MAX_UNUSED = 60 * 86400
"""Seconds after which a file that nobody used goes."""
MAX_WRITTEN = 86400
"""Seconds after which a file that is still being written is left over, where locks do not say so."""


class CacheFile(NamedTuple):
    """A file of ours."""

    path: Path
    bytes: int
    age: float
    """Seconds since it was written, or used."""
    slot: str
    """Which folder and form of images it is for."""
    is_temporary: bool
    """Whether it is being written, or was left over."""


def images_folder() -> Path:
    """Where decoded images are kept."""
    return cache_folder() / "images"


def own_files(folder: Path) -> Iterator[CacheFile]:
    """The files of ours in ``folder``; none if it is a link, or not there."""
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
    """Whether a file belongs to this user, or to the system."""
    return not hasattr(os, "geteuid") or found.st_uid in (os.geteuid(), 0)


def remove(files: Iterable[CacheFile]) -> list[CacheFile]:
    """Remove files; return those that are gone. What is being written stays, and on Windows what is being used."""
    gone = []
    for file in files:
        with suppress(OSError), _unwritten(file) if file.is_temporary else nullcontext():
            file.path.unlink()
            gone.append(file)
    return gone


def remove_unused(kept: Path) -> None:
    """Remove what the file ``kept`` replaces, what was not used for long, and what a killed process left."""
    slot = kept.name.partition("-")[0]
    remove(
        file
        for file in own_files(kept.parent)
        if file.is_temporary or file.age > MAX_UNUSED or (file.slot == slot and file.path != kept)
    )


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left: each file takes as much room as all of its images."""
    remove(file for file in own_files(folder) if file.is_temporary)


def create(path: Path) -> BinaryIO:
    """Make a new file that this user alone can read, locked for as long as it is open.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        if os.name != "nt":  # an open file cannot be removed there
            _lock(descriptor)
        if os.name == "nt" or os.fstat(descriptor).st_nlink:
            return os.fdopen(descriptor, "wb")
        os.close(descriptor)  # another process found it before it was locked, and removed it


def _lock(descriptor: int) -> None:
    """Lock a new file; one that removes what was left over may have it for a moment."""
    while True:
        with suppress(BlockingIOError):
            lock_file(descriptor)
            return
        time.sleep(0.001)


@contextmanager
def _unwritten(file: CacheFile) -> Iterator[None]:
    """Context in which no process writes a temporary file.

    Raises:
        OSError: One does, or may.
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
