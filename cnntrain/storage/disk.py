"""The disk operations, one method each, so tests can record and replay them."""

import errno
import os
import sys
from pathlib import Path

NO_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}
"""Errors of file systems that cannot fsync a folder."""

CHUNK = 1 << 24
"""Bytes to read back at a time."""


class Disk:
    """The file operations of the operating system.

    Raises:
        OSError: From every method; it names the file.
    """

    def create(self, path: Path) -> int:
        """Create a new file and open it for writing; fail if it exists."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)

    def open(self, path: Path) -> int:
        """Open or create a file for writing at any position. Links are not followed."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        return os.open(path, flags, 0o666)

    def write(self, file: int, content: bytes, path: Path) -> None:
        """Write all of ``content`` at the current position."""
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def size(self, file: int) -> int:
        """Return the size of a file in bytes."""
        return os.fstat(file).st_size

    def links(self, file: int) -> int:
        """Return the number of hard links; with more than one, writes are visible elsewhere."""
        return os.fstat(file).st_nlink

    def cut(self, file: int, length: int, path: Path) -> None:
        """Truncate a file and seek to its end."""
        try:
            os.ftruncate(file, length)
            os.lseek(file, length, os.SEEK_SET)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def sync(self, file: int, path: Path) -> None:
        """Wait until the data would survive a power failure."""
        try:
            if sys.platform == "darwin":  # its fsync leaves data in the disk's cache
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
        """Return the contents of a file."""
        return path.read_bytes()

    def holds(self, path: Path, content: bytes) -> bool:
        """Return whether a file holds exactly ``content``."""
        rest = memoryview(content)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                if rest[: len(chunk)] != chunk:
                    return False
                rest = rest[len(chunk) :]
        return not rest

    def replace(self, source: Path, target: Path) -> None:
        """Atomically replace ``target`` by ``source``."""
        os.replace(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def sync_folder(self, path: Path) -> None:
        """Wait until the entries of a folder would survive a power failure, if the system supports it."""
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
