"""One process at a time in a folder."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from cnntrain.errors import UsageError

NAME = ".lock"
MAX_TRIES = 100
"""To lock a file that its owner removes at that moment."""

NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.ENOSYS}
"""What a file system answers that has no locks: NFS without lockd, Lustre, some overlays and FUSE."""


class FolderLock:
    """Keeps other processes out of a folder; the system lets them in when this one ends, however it ends.

    Args:
        folder: It must be there.

    Attributes:
        note: What the user should know: this file system has no locks. Otherwise empty.

    Raises:
        UsageError: Another process is in it.
        OSError: Nothing can be written there.
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
            os.close(file)  # its process took the name away between our opening and locking it
        raise UsageError(f"{self.path}: other processes make and remove this file without end")

    def holds(self) -> bool:
        """Whether the folder is still the one that was locked."""
        return self._is_mine(self._file)

    def _is_mine(self, file: int) -> bool:
        try:
            return os.path.samestat(self.path.stat(follow_symlinks=False), os.fstat(file))
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Make sure that the folder is still there and ours: it may have been deleted, and another made in its place.

        Raises:
            UsageError, OSError: As for a new lock.
        """
        if not self.holds():
            lost = self._file  # kept until the new one is there: its number is not given to another meanwhile
            self._file = self._take()
            os.close(lost)

    def release(self) -> None:
        """Let others in."""
        # Unlinked first: a process that has opened the file meanwhile finds that it has no name, and tries again.
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
    """Whether a file may be one that ``FolderLock`` has left: it holds nothing."""
    return path.name == NAME and path.is_file() and not path.is_symlink() and path.stat().st_size == 0


def open_lock(path: Path) -> int:
    """Open a file to be locked; make it if it is not there. A link is not followed, and nothing is written."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o666)


def lock_file(file: int) -> bool:
    """Lock an open file until it is closed; return whether its file system can do that.

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
