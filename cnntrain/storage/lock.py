"""A lock that admits one process at a time to a folder."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from cnntrain.errors import UsageError

NAME = ".lock"
MAX_TRIES = 100
"""Maximum attempts to lock a file that its owner is removing."""

NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.ENOSYS}
"""Errors of file systems without locks: NFS without lockd, Lustre, some overlays and FUSE."""


class FolderLock:
    """Exclusive lock on a folder; the system releases it when this process ends, however it ends.

    Args:
        folder: An existing folder.

    Attributes:
        note: A warning if the file system has no locks; otherwise empty.

    Raises:
        UsageError: Another process holds the lock.
        OSError: The lock file cannot be written.
    """

    def __init__(self, folder: Path):
        self.folder, self.path, self.note = folder, folder / NAME, ""
        self._file = self._take()

    def _take(self) -> int:
        for _ in range(MAX_TRIES):
            file = open_lock(self.path)
            try:
                if not lock_file(file):
                    self.note = (
                        f"{self.folder}: the file system has no locks; nothing keeps other processes out of this run"
                    )
                if self._is_mine(file):
                    return file
            except BlockingIOError:
                os.close(file)
                raise UsageError(
                    f"{self.folder}: another process is working on this run; wait for its end, or stop it"
                ) from None
            except BaseException:
                self._unlink(file)
                os.close(file)
                raise
            os.close(file)  # its owner unlinked the file before we locked it
        raise UsageError(f"{self.path}: other processes keep creating and removing this file")

    def holds(self) -> bool:
        """Return whether the locked folder is still in place."""
        return self._is_mine(self._file)

    def _is_mine(self, file: int) -> bool:
        try:
            return os.path.samestat(self.path.stat(follow_symlinks=False), os.fstat(file))
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Check that the lock still holds, and take it again if the folder was deleted and recreated.

        Raises:
            UsageError, OSError: As for a new lock.
        """
        if not self.holds():
            lost = self._file  # closed only after the new lock is taken, so its inode number is not reused
            self._file = self._take()
            os.close(lost)

    def release(self) -> None:
        """Release the lock."""
        # Unlink first: a process that has opened the file meanwhile sees that it is unlinked and retries.
        if sys.platform != "win32":
            self._unlink(self._file)
        with suppress(OSError):
            os.close(self._file)
        if sys.platform == "win32":
            with suppress(OSError):
                self.path.unlink()

    def _unlink(self, file: int) -> None:
        with suppress(OSError):
            if self._is_mine(file) and is_lock(self.path):
                self.path.unlink()


def is_lock(path: Path) -> bool:
    """Return whether a file may be a leftover of ``FolderLock``: it is empty."""
    return path.name == NAME and path.is_file() and not path.is_symlink() and path.stat().st_size == 0


def open_lock(path: Path) -> int:
    """Open or create a lock file. Links are not followed, and nothing is written."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o666)


def lock_file(file: int) -> bool:
    """Lock an open file until it is closed; return whether the file system supports locks.

    Raises:
        BlockingIOError: Another process has locked it.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise BlockingIOError(error.errno, error.strerror) from None
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True
