"""The few things that are done to a disk, one method each, so that a test can record and repeat them."""

import errno
import os
import sys
from pathlib import Path

NO_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}
"""What a file system answers that cannot fsync a folder."""

PIECE = 1 << 24
"""Bytes that are read back at a time."""


class Disk:
    """The operating system's files.

    Raises:
        OSError: From every method; it names the file.
    """

    def create(self, path: Path) -> int:
        """Make a new file, which must not be there, and open it for writing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)

    def open(self, path: Path) -> int:
        """Open a file for writing anywhere in it; make it if it is not there. A link is not followed."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        return os.open(path, flags, 0o666)

    def write(self, file: int, content: bytes, path: Path) -> None:
        """Write all of ``content`` where the file stands."""
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def size(self, file: int) -> int:
        """Return how many bytes a file has."""
        return os.fstat(file).st_size

    def links(self, file: int) -> int:
        """Return how many names a file has: with more than one, others see what is written into it."""
        return os.fstat(file).st_nlink

    def cut(self, file: int, length: int, path: Path) -> None:
        """Cut a file off, and stand at its end."""
        try:
            os.ftruncate(file, length)
            os.lseek(file, length, os.SEEK_SET)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def sync(self, file: int, path: Path) -> None:
        """Wait until what was written would survive a loss of power."""
        try:
            if sys.platform == "darwin":  # its fsync leaves the content in the disk's cache
                import fcntl

                fcntl.fcntl(file, fcntl.F_FULLFSYNC)
            else:
                os.fsync(file)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def close(self, file: int) -> None:
        """Close a file."""
        os.close(file)

    def read(self, path: Path) -> bytes:
        """Return all that is in a file."""
        return path.read_bytes()

    def holds(self, path: Path, content: bytes) -> bool:
        """Return whether just ``content`` is in a file."""
        rest = memoryview(content)
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                if rest[: len(piece)] != piece:
                    return False
                rest = rest[len(piece) :]
        return not rest

    def replace(self, source: Path, target: Path) -> None:
        """Give ``source`` the name of ``target``, which is gone then: one step, not two."""
        os.replace(source, target)

    def unlink(self, path: Path) -> None:
        """Take a file away."""
        path.unlink()

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in a folder would survive a loss of power, where the system can do that."""
        if os.name == "nt":
            return
        try:
            folder = os.open(path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno not in NO_FOLDERS:
                raise OSError(error.errno, error.strerror, str(path)) from error


DISK = Disk()
