"""An append-only file of lines with a verified length."""

import errno
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from cnntrain.storage.atomic import write_file
from cnntrain.storage.disk import DISK, Disk
from cnntrain.storage.regular_file import open_regular

CHUNK = 1 << 20
"""Bytes to read at a time."""
MAX_LENGTH, MAX_BYTES = 200_000, 1_000_000_000
"""Maximum bytes of a line and of a file that ``lines_of`` reads."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """A position in the file, with the digest of everything before it."""

    length: int
    """Bytes."""
    digest: str
    """BLAKE2b of these bytes."""


class LineFile:
    """Lines of text, appended at the end.

    A line that could not be written stays in ``waiting`` and is written with the next one. If that fails, too, ``add``
    tries again when there are twice as many lines. A process that died may have left half a line, so the file is first
    truncated to its verified length.

    Args:
        path: The file, created with the first line.
        disk: The disk to write to.
    """

    def __init__(self, path: Path, disk: Disk = DISK):
        self.path, self.disk = path, disk
        self.length, self._hash = 0, blake2b()
        self.waiting: list[str] = []
        self.found = 0
        """Number of lines in the file up to the mark of the last ``rewind``."""
        self._next_try = 0
        """Number of waiting lines at which ``add`` writes."""

    @property
    def mark(self) -> FileMark:
        """The current end of the file."""
        return FileMark(self.length, self._hash.hexdigest())

    def rewind(self, mark: FileMark, waiting: list[str]) -> bool:
        """Go back to a mark; return whether the file is intact up to it."""
        self.length, self._hash, self.waiting, self.found = 0, blake2b(), list(waiting), 0
        self._next_try = 0
        with suppress(FileNotFoundError), open_regular(self.path) as file:
            while chunk := file.read(min(CHUNK, mark.length - self.length)):
                self.length += len(chunk)
                self.found += chunk.count(b"\n")
                self._hash.update(chunk)
        return self.mark == mark

    def cut(self) -> None:
        """Truncate the file to the position of ``rewind``."""
        if self.path.exists() and self.path.stat().st_size != self.length:
            file = self._open()
            try:
                self.disk.cut(file, self.length, self.path)
                self.disk.sync(file, self.path)
            finally:
                self.disk.close(file)

    def add(self, line: str) -> None:
        """Append a line and write all pending lines, unless writing has just failed.

        Raises:
            OSError: The lines could not be written and stay pending.
        """
        self.waiting.append(line)
        if len(self.waiting) >= self._next_try:
            self.write()

    def write(self, sync: bool = False) -> None:
        """Write all pending lines.

        Args:
            sync: Wait until they would survive a power failure.

        Raises:
            OSError: The lines could not be written and stay pending.
        """
        if not self.waiting and not (sync and self.length):
            return
        try:
            self._write("".join(f"{line}\n" for line in self.waiting).encode(), sync)
        except OSError:
            self._next_try = 2 * len(self.waiting)
            raise
        self.waiting.clear()
        self._next_try = 0

    def _write(self, content: bytes, sync: bool) -> None:
        """Append ``content``; see ``write``."""
        file = self._open()
        try:
            if self.disk.size(file) < self.length:  # the file was truncated or replaced: keep what is there
                self.rewind(FileMark(self.disk.size(file), ""), self.waiting)
            self.disk.cut(file, self.length, self.path)
            self.disk.write(file, content, self.path)
            if sync:
                self.disk.sync(file, self.path)
        finally:
            self.disk.close(file)
        self.length += len(content)
        self._hash.update(content)

    def _open(self) -> int:
        """Open the file for writing; first replace it by a copy if it is hard-linked.

        A snapshot made with hard links shares the file with another folder, whose copy must not change.

        Raises:
            OSError: The file cannot be opened or copied, or is a symbolic link.
        """
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "this is a link, and nothing is written to where it leads", str(self.path))
        file = self.disk.open(self.path)
        if self.disk.links(file) < 2:
            return file
        self.disk.close(file)
        with open_regular(self.path) as shared:
            content = shared.read(self.length)
        write_file(self.path, content, self.disk)
        return self.disk.open(self.path)


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file with their line breaks; the last may have none.

    Raises:
        OSError: The file cannot be read, or it or a line is too long.
    """
    with open_regular(path) as file:
        while line := file.readline(MAX_LENGTH + 1):
            if len(line) > MAX_LENGTH or file.tell() > MAX_BYTES:
                raise OSError(
                    errno.EFBIG, f"at most {MAX_BYTES:,} bytes are read, and {MAX_LENGTH:,} in a line", str(path)
                )
            yield line
