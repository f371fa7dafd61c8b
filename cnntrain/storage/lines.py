"""A file that grows line by line, and of which it is known how much is right."""

import errno
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from cnntrain.storage.atomic import write_file
from cnntrain.storage.disk import DISK, Disk
from cnntrain.storage.regular_file import open_regular

PIECE = 1 << 20
"""Bytes that are read at a time."""
MAX_LENGTH, MAX_BYTES = 200_000, 256_000_000
"""Bytes of a line and of a file, at most, where they are read by ``lines_of``."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """A place in the file: everything before it is right."""

    length: int
    """Bytes."""
    digest: str
    """BLAKE2b of them."""


class LineFile:
    """Lines of text, added at the end.

    A line that could not be written waits in ``waiting`` and is written with the next. What a process wrote before it
    died may be half a line, so a file is first cut off where it is known to be right.

    Args:
        path: The file; made with the first line.
        disk: Where it is.
    """

    def __init__(self, path: Path, disk: Disk = DISK):
        self.path, self.disk = path, disk
        self.length, self._hash = 0, blake2b()
        self.waiting: list[str] = []

    @property
    def mark(self) -> FileMark:
        """The end of what is written."""
        return FileMark(self.length, self._hash.hexdigest())

    def rewind(self, mark: FileMark, waiting: list[str]) -> bool:
        """Forget what was added behind a mark; say whether the file is there and right up to it."""
        self.length, self._hash, self.waiting = 0, blake2b(), list(waiting)
        with suppress(FileNotFoundError), open_regular(self.path) as file:
            while piece := file.read(min(PIECE, mark.length - self.length)):
                self.length += len(piece)
                self._hash.update(piece)
        return self.mark == mark

    def cut(self) -> None:
        """Take away what is behind the place that ``rewind`` went to."""
        if self.path.exists() and self.path.stat().st_size != self.length:
            file = self._open()
            try:
                self.disk.cut(file, self.length, self.path)
                self.disk.sync(file, self.path)
            finally:
                self.disk.close(file)

    def add(self, line: str) -> None:
        """Add a line, and write it with those that wait.

        Raises:
            OSError: It could not be written; it waits.
        """
        self.waiting.append(line)
        self.write()

    def write(self, sync: bool = False) -> None:
        """Write the lines that wait.

        Args:
            sync: Wait until they would survive a loss of power.

        Raises:
            OSError: They could not be written, and still wait.
        """
        if not self.waiting and not (sync and self.length):
            return
        content = "".join(f"{line}\n" for line in self.waiting).encode()
        file = self._open()
        try:
            if self.disk.size(file) < self.length:  # somebody has taken it away: what is there stays
                self.rewind(FileMark(self.disk.size(file), ""), self.waiting)
            self.disk.cut(file, self.length, self.path)
            self.disk.write(file, content, self.path)
            if sync:
                self.disk.sync(file, self.path)
        finally:
            self.disk.close(file)
        self.length += len(content)
        self._hash.update(content)
        self.waiting.clear()

    def _open(self) -> int:
        """Open the file for writing in place, once it is a file of its own.

        A snapshot made of hard links shares it with another folder, whose lines must stay: then a copy takes its name.

        Raises:
            OSError: It could not be opened or copied, or is a link to somewhere else.
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
    """Yield the lines of a file one by one, each with its line break; the last may have none.

    Raises:
        OSError: It cannot be read, or it or a line of it is too long.
    """
    with open_regular(path) as file:
        while line := file.readline(MAX_LENGTH + 1):
            if len(line) > MAX_LENGTH or file.tell() > MAX_BYTES:
                raise OSError(
                    errno.EFBIG, f"at most {MAX_BYTES:,} bytes are read, and {MAX_LENGTH:,} in a line", str(path)
                )
            yield line
