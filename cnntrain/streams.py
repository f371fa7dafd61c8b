"""Text streams that survive a closed reader and missing characters.

Messages matter less than the work they report. If a terminal closes, a disk with a log is full or a pipe ends, messages
are dropped and the work continues.
"""

import codecs
import io
import select
from contextlib import suppress
from typing import Any, TextIO

READABLE = "cnntrain.readable"
"""Name of the codec error handler that replaces missing characters: symbols by ASCII, others by escapes."""

SYMBOLS = {
    "·": ".",
    "…": "~",
    "×": "x",
    "²": "^2",
    "±": "+-",
    "→": "->",
    "–": "-",
    "—": "-",
    **dict.fromkeys("━╸╺─", "-"),
    **{frame: "|/-\\"[i % 4] for i, frame in enumerate("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")},
}
"""ASCII for the symbols of cnntrain and Rich; symbols in tables and bars keep their width."""


def readable(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that cannot be encoded; see ``READABLE``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(SYMBOLS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost), error.end


codecs.register_error(READABLE, readable)


class TolerantWriter(io.RawIOBase):
    """A raw stream that drops what it cannot write.

    Args:
        raw: The stream to write to.
        owner: The object that closes ``raw`` when it is garbage-collected.
        needed: Whether to raise write errors; otherwise the bytes are silently dropped.
    """

    def __init__(self, raw: io.RawIOBase, owner: TextIO, needed: bool) -> None:
        self._raw, self._owner, self._needed = raw, owner, needed
        self.name = getattr(raw, "name", "")

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._raw.isatty()

    def write(self, content: Any) -> int:
        """Write what can be written; return the number of bytes written or dropped."""
        try:
            while (written := self._raw.write(content)) is None:  # another program made it non-blocking, and it is full
                select.select([], [self.fileno()], [])
        except OSError:
            if self._needed:
                raise
            return memoryview(content).nbytes
        return written


def tolerant_stream(stream: TextIO, needed: bool = False) -> TextIO:
    """Wrap ``stream`` so that it drops what it cannot write, or raises the error if ``needed``.

    A stream without a file descriptor of this process, such as a notebook's, is returned unchanged.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if not isinstance(raw, io.RawIOBase):
        return stream
    with suppress(OSError):  # unwritten data stay in its buffer
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(TolerantWriter(raw, stream, needed)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
