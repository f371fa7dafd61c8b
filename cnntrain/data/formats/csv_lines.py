"""Lines of a text file of any size, one block at a time.

The text is UTF-8, or UTF-16 with its byte order mark; lines end in LF, CR LF or CR. Lines that begin with ``#`` are
comments. The file may be gzipped.
"""

import gzip
import io
import os
import re
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE, getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from cnntrain.errors import DataError
from cnntrain.storage import open_regular

BLOCK = 1 << 20
"""Bytes to read at a time."""
MAX_LINE = 1 << 24
"""Maximum characters of a line."""
TEXT_LIMIT, TEXT_LIMIT_FROM = 50, 1 << 24
"""Maximum expansion of a gzipped file, and the size from which it applies. Real tables of pixels stay below 30."""
GZIP = b"\x1f\x8b"
BLANK_OR_COMMENT = re.compile(r"#|[^\S\n]")
MARKS = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}


class Lines(NamedTuple):
    """A block of lines, without empty lines and comments."""

    numbers: Sequence[int]
    """Line numbers, counted from 1."""
    texts: list[str]

    def after(self, count: int) -> "Lines":
        """Return the lines without the first ``count``."""
        return Lines(self.numbers[count:], self.texts[count:])


class LineReader:
    """Iterates over the lines of an open file in blocks.

    Args:
        path: The file, for error messages.
        stream: Its uncompressed bytes.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path = path
        self.comment = ""
        """The comment before the first line, if any."""
        self._stream = stream
        self._has_begun = False

    def __iter__(self) -> Iterator[Lines]:
        """Yield the lines, one block at a time.

        Raises:
            DataError: The file is not text, a line is too long, or a gzipped file expands too much.
        """
        path, packed = self.path, max(1, os.path.getsize(self.path))
        is_packed = isinstance(self._stream, gzip.GzipFile)
        decoder, rest, count, total = _decoder(self._stream, path), "", 0, 0
        while True:
            content = self._stream.read(BLOCK)
            total += len(content)
            if is_packed and total > max(TEXT_LIMIT_FROM, TEXT_LIMIT * packed):
                raise DataError(
                    f"{path} unpacks from {packed:,} to more than {TEXT_LIMIT * packed:,} bytes, {TEXT_LIMIT} times as "
                    "many, which no table of images does; if it is meant so, unpack it first"
                )
            begin, newline, end = (rest + decoder.decode(content, final=not content)).rpartition("\n")
            if not content:
                begin, newline, end = begin + newline + end, "", ""
            if len(end) > MAX_LINE:
                where = count + (begin + newline).count("\n") + 1
                raise DataError(f"{path}: line {where:,} is longer than {MAX_LINE:,} characters")
            rest = end
            if begin or newline:
                texts = begin.split("\n")
                found = self._kept(Lines(range(count + 1, count + 1 + len(texts)), texts), begin)
                count += len(texts)
                if found.texts:
                    self._has_begun = True
                    yield found
            if not content:
                return

    def _kept(self, lines: Lines, block: str) -> Lines:
        """Strip trailing blanks, and drop empty lines and comments."""
        if all(lines.texts) and not BLANK_OR_COMMENT.search(block):
            return lines
        stripped = list(map(str.strip, lines.texts))
        if all(stripped) and "#" not in block:
            return Lines(lines.numbers, [text.rstrip(" ") for text in lines.texts])
        kept = [i for i, text in enumerate(stripped) if text and text[0] != "#"]
        if not self._has_begun:
            before = stripped[: kept[0]] if kept else stripped
            self.comment = next((text.lstrip("# ") for text in reversed(before) if text), self.comment)
        return Lines([lines.numbers[i] for i in kept], [lines.texts[i].rstrip(" ") for i in kept])


def _decoder(stream: IO[bytes], path: Path) -> io.IncrementalNewlineDecoder:
    """Return the decoder of a file. Bytes that are not UTF-8 become surrogates, to be reported where they matter."""
    peekable: Any = stream
    begin = peekable.peek(4)[:4]
    if begin in (BOM_UTF32_LE, BOM_UTF32_BE):
        raise DataError(f"{path} is text in UTF-32; save it as UTF-8")
    encoding = next((name for mark, name in MARKS.items() if begin.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in begin[:2]:
        raise DataError(f"{path} is not text in UTF-8: it begins with {begin.hex(' ')}; save it as UTF-8")
    decoder = getincrementaldecoder(encoding)("replace" if encoding == "utf-16" else "surrogateescape")
    return io.IncrementalNewlineDecoder(decoder, translate=True)


@contextmanager
def open_csv(path: Path) -> Iterator[IO[bytes]]:
    """Context with the uncompressed bytes of a file; gzip is detected by the first bytes."""
    with open_regular(path) as plain:
        packed = plain.read(2) == GZIP
        plain.seek(0)
        if not packed:
            yield plain
            return
        with gzip.open(plain) as unpacked:
            yield unpacked  # type: ignore[misc]


READ_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
"""Exceptions of a damaged gzip file."""
