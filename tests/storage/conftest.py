"""A disk that remembers what is done to it, and every state in which a loss of power may leave it."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from cnntrain.storage.disk import Disk


class RecordedDisk(Disk):
    """The real disk; ``operations`` are what was done, names in place of paths.

    Attributes:
        fail_at: Number of the operation that raises ``error`` in place of being done.
    """

    def __init__(self, fail_at=None, error=None):
        self.operations, self.names = [], {}
        self.fail_at, self.error = fail_at, error

    def note(self, *operation):
        if self.fail_at is not None and len(self.operations) == self.fail_at:
            self.fail_at = None
            raise self.error
        self.operations.append(operation)

    def create(self, path):
        self.note("create", path.name)
        file = super().create(path)
        self.names[file] = path.name
        return file

    def open(self, path):
        if not path.exists():
            self.note("create", path.name)
        file = super().open(path)
        self.names[file] = path.name
        return file

    def write(self, file, content, path):
        self.note("write", self.names[file], bytes(content))
        super().write(file, content, path)

    def cut(self, file, length, path):
        self.note("cut", self.names[file], length)
        super().cut(file, length, path)

    def sync(self, file, path):
        self.note("sync", self.names[file])
        super().sync(file, path)

    def replace(self, source, target):
        self.note("replace", source.name, target.name)
        super().replace(source, target)

    def unlink(self, path):
        self.note("unlink", path.name)
        super().unlink(path)

    def sync_folder(self, path):
        self.note("sync_folder")
        super().sync_folder(path)


class Content:
    """What is in a file, and how much of it a loss of power would leave."""

    def __init__(self, safe=b""):
        self.now = self.safe = safe

    def left(self) -> list[bytes]:
        """All that may be left: what is safe, what is there, and half of it with nothing or with zeros behind it."""
        if self.now == self.safe:
            return [self.now]
        half = self.now[: len(self.now) // 2]
        return [self.safe, self.now, half, half + bytes(len(self.now) - len(half))]


def after_crash(files: dict[str, bytes], operations) -> Iterator[dict[str, bytes]]:
    """Yield what a folder may hold once these operations were done, and then the power failed.

    Names that were changed since the folder was last synced may have been changed on the disk or not, each by itself;
    what was written since a file was last synced may be there, or in part, or not.
    """
    safe = {name: Content(content) for name, content in files.items()}
    now, changes = dict(safe), []
    for kind, *words in operations:
        if kind == "create":
            now[words[0]] = Content()
            changes.append((None, words[0], now[words[0]]))
        elif kind == "write":
            now[words[0]].now += words[1]
        elif kind == "cut":
            now[words[0]].now = now[words[0]].now[: words[1]]
        elif kind == "sync":
            now[words[0]].safe = now[words[0]].now
        elif kind == "replace":
            now[words[1]] = now.pop(words[0])
            changes.append((words[0], words[1], now[words[1]]))
        elif kind == "unlink":
            changes.append((words[0], None, now.pop(words[0])))
        elif kind == "sync_folder":
            safe, changes = dict(now), []
    for count in range(len(changes) + 1):
        for done in combinations(changes, count):
            names = dict(safe)
            for old, new, content in done:
                if old is not None and names.pop(old, None) is None:
                    continue  # it never had this name
                if new is not None:
                    names[new] = content
            for which in range(4):
                yield {
                    name: left[min(which, len(left) - 1)] for name, left in ((n, c.left()) for n, c in names.items())
                }


def every_crash(files: dict[str, bytes], operations) -> Iterator[dict[str, bytes]]:
    """Yield ``after_crash`` for every number of operations that may have been done, each state once."""
    told = set()
    for count in range(len(operations) + 1):
        for state in after_crash(files, operations[:count]):
            key = tuple(sorted(state.items()))
            if key not in told:
                told.add(key)
                yield state


def restore(folder: Path, state: dict[str, bytes]) -> None:
    """Make ``folder`` hold just these files."""
    for path in folder.iterdir():
        path.unlink()
    for name, content in state.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def disk():
    return RecordedDisk()


@pytest.fixture
def failing_disk():
    return RecordedDisk


@pytest.fixture
def all_files(monkeypatch):
    """Records what the package does to any file, from here on."""
    from cnntrain.storage.disk import DISK

    for name, value in (("operations", []), ("names", {}), ("fail_at", None), ("error", None)):
        monkeypatch.setattr(DISK, name, value, raising=False)
    monkeypatch.setattr(DISK, "__class__", RecordedDisk)
    return DISK


@pytest.fixture
def crashes():
    """``every_crash``"""
    return every_crash


@pytest.fixture
def put_back():
    """``restore``"""
    return restore
