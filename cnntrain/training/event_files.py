"""Event files, which TensorBoard reads: records of protocol buffers, each with its length and checksums.

A record is ``length, crc(length), event, crc(event)``. The messages and the checksum are tensorboardX's. Its own writer
hands records to a thread; here they are written at once, so that a killed run has written all its epochs, and a full
disk raises OSError.
"""

import os
import platform
import re
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnntrain.storage import open_regular

Message = Any
"""A protocol buffer, which has no types."""
VERSION = "brain.Event:2"
_NAME = re.compile(r"events\.out\.tfevents\.(\d+)\..*")
MAX_RECORD = 2**28
"""Maximum bytes of an event that is read."""


class EventFile:
    """A new event file in ``folder``; TensorBoard reads it after the files that are already there.

    Args:
        folder: The folder; created if it does not exist.
        purge_step: TensorBoard drops what earlier files hold of this step and later ones.

    Raises:
        OSError: The file cannot be created.
    """

    def __init__(self, folder: Path, purge_step: int):
        folder.mkdir(parents=True, exist_ok=True)
        stamps = [int(match[1]) for name in os.listdir(folder) if (match := _NAME.fullmatch(name))]
        # TensorBoard sorts files by name: a clock that was set back must not change the order.
        stamp = max([int(time.time()), *(last + 1 for last in stamps)])
        self.path = folder / f"events.out.tfevents.{stamp:010}.{platform.node() or 'localhost'}.{os.getpid()}"
        self._waiting, self._length, self._next_try = bytearray(), 0, 0
        self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115 - open until ``close``
        self.add(file_version=VERSION)
        self.add(step=purge_step, session_log={"status": "START"})

    def add(self, **event: Any) -> None:
        """Add an event; ``write`` writes it."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        content = Event(wall_time=time.time(), **event).SerializeToString()
        header = struct.pack("<Q", len(content))
        checksums = (struct.pack("<I", masked_crc32c(part)) for part in (header, content))
        self._waiting += b"".join((header, next(checksums), content, next(checksums)))

    def write(self) -> None:
        """Write all events that are not written yet; after a failure, not before they take twice as many bytes.

        Raises:
            OSError: They cannot be written; a later call tries again.
        """
        if len(self._waiting) < self._next_try:
            return
        self._next_try = 2 * len(self._waiting)
        self._file.seek(self._length)
        self._file.truncate()  # half a record of an earlier attempt
        content = memoryview(bytes(self._waiting))
        while content:
            content = content[self._file.write(content) :]
        self._length += len(self._waiting)
        self._waiting.clear()
        self._next_try = 0

    def close(self) -> None:
        """Write what can be written, and close the file."""
        self._next_try = 0
        with suppress(OSError):
            self.write()
        self._file.close()


def event_files(folder: Path) -> list[Path]:
    """Return the event files of a folder, in the order in which TensorBoard reads them."""
    return sorted(path for path in folder.glob("*tfevents*") if path.is_file())


def read_events(path: Path) -> Iterator[Message]:
    """Yield the intact events at the beginning of a file.

    Raises:
        OSError: The file cannot be read.
    """
    from google.protobuf.message import DecodeError
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    with open_regular(path) as file:
        while len(header := file.read(12)) == 12:
            length, checksum = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != checksum or length > MAX_RECORD:
                return
            record = file.read(length + 4)
            if len(record) < length + 4 or struct.pack("<I", masked_crc32c(record[:-4])) != record[-4:]:
                return
            try:
                yield Event.FromString(record[:-4])
            except DecodeError:
                return
