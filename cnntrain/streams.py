"""Text streams whose reader may leave, and may lack some characters.

Messages are worth less than the work that they are about. A terminal that closes, a log on a full disk or the end of a
pipe drops them, and the work goes on.
"""

import codecs
import io
import select
from contextlib import suppress
from typing import Any, TextIO

READABLE = "cnntrain.readable"
"""Name of the error handler that replaces what an encoding lacks: symbols by their like, all else by escapes."""

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
    **{frame: "|/-\\"[place % 4] for place, frame in enumerate("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")},
}
"""Symbols that cnntrain and Rich print, as ASCII; those of tables and bars in as many columns as before."""


def readable(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded; see ``READABLE``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(SYMBOLS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost), error.end


codecs.register_error(READABLE, readable)


class TolerantWriter(io.RawIOBase):
    """The end of a stream that may be gone.

    Args:
        raw: Where the bytes go.
        owner: Closes ``raw`` when it is dropped.
        needed: Whether to raise what stands in the way of writing; otherwise the bytes are dropped in silence.
    """

    def __init__(self, raw: io.RawIOBase, owner: TextIO, needed: bool) -> None:
        self._raw, self._owner, self._needed = raw, owner, needed
        self.name = getattr(raw, "name", "")

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self._raw.isatty()

    def write(self, content: Any) -> int:
        """Write what can be written; return how many bytes are done with."""
        try:
            while (written := self._raw.write(content)) is None:  # another program made it non-blocking, and it is full
                select.select([], [self.fileno()], [])
        except OSError:
            if self._needed:
                raise
            return memoryview(content).nbytes
        return written


def tolerant_stream(stream: TextIO, needed: bool = False) -> TextIO:
    """Return ``stream`` as one that drops what cannot be written, or raises it where it is ``needed``.

    A stream that is not of this process's own descriptors, such as a notebook's, is returned as it is.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if not isinstance(raw, io.RawIOBase):
        return stream
    with suppress(OSError):  # it keeps what it cannot write
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(TolerantWriter(raw, stream, needed)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
