"""One process at a time in a folder."""

import os
from contextlib import suppress
from pathlib import Path

from cnntrain.errors import UsageError

NAME = ".lock"


class FolderLock:
    """Keeps other processes out of a folder; the system lets them in when this one ends, however it ends.

    Args:
        folder: It must be there.

    Raises:
        UsageError: Another process is in it.
        OSError: Nothing can be written there.
    """

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / NAME
        self._take()

    def _take(self) -> None:
        from filelock import FileLock, Timeout  # imported late: most commands need none

        self.folder.stat()  # the lock would make it
        self._lock = FileLock(self.path, timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise UsageError(
                f"{self.folder}: another process is working on this run; wait for its end, or stop it"
            ) from None
        self._file = self.path.stat()

    def check(self) -> None:
        """Make sure that the folder is still there and ours: it may have been deleted, and another made in its place.

        Raises:
            UsageError, OSError: As for a new lock.
        """
        try:
            if os.path.samestat(self.path.stat(), self._file):
                return
        except FileNotFoundError:
            pass
        lost = self._lock  # kept until the new one is there: its file's number is not given to another meanwhile
        self._take()
        lost.release()

    def release(self) -> None:
        """Let others in."""
        # Unlinked first: a process that has opened the file meanwhile finds that it has no name, and tries again.
        if os.name != "nt":
            with suppress(OSError):
                if os.path.samestat(self.path.stat(), self._file):
                    self.path.unlink()
        with suppress(OSError):
            self._lock.release()
        if os.name == "nt":
            with suppress(OSError):
                self.path.unlink()
