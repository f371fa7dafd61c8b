"""Names of files from a stream, as they come: what ``predict -`` reads.

A name is bytes, as the system has it. Names end with a line break, or, where the list begins with such names, with NUL
as ``find -print0`` writes it. A mark of UTF-8 is skipped, and UTF-16 with its mark is decoded: Windows writes both.
"""

import codecs
import os
from collections.abc import Iterator
from typing import IO

from cnntrain.errors import UsageError

CHUNK = 1 << 16
MAX_NAME = 1 << 15
"""Bytes of a name; no system has longer ones."""
MAX_UTF_16 = 1 << 26
"""Bytes of a list in UTF-16, which is read whole."""


def names_in(stream: IO[bytes]) -> Iterator[str]:
    """Yield the names, empty ones left out.

    Raises:
        UsageError: It is no list of names.
    """
    chunk = more = _some(stream)
    while more and len(chunk) <= MAX_NAME and b"\n" not in chunk and b"\0" not in chunk:
        more = _some(stream)
        chunk += more
    if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from _in_utf_16(chunk + stream.read(MAX_UTF_16))
        return
    if len(chunk) >= 4 and not any(chunk[1:200:2]):
        raise UsageError("-: the list of names is in UTF-16 without a mark; write it in UTF-8")
    chunk = chunk.removeprefix(codecs.BOM_UTF8)
    separator, end = (b"\0", b"") if b"\0" in chunk else (b"\n", b"\r")
    rest = b""
    while chunk:
        *names, rest = (rest + chunk).split(separator)
        for name in names:
            yield from _name(name.rstrip(end) if end else name, separator)
        _name(rest, separator)
        chunk = _some(stream)
    yield from _name(rest.rstrip(end) if end else rest, separator)


def _some(stream: IO[bytes]) -> bytes:
    """What is there already, but one byte at least until the end: whoever writes the list may do so slowly."""
    read = getattr(stream, "read1", stream.read)
    content: bytes = read(CHUNK)
    return content


def _name(name: bytes, separator: bytes) -> list[str]:
    """The name, if it is not empty.

    Raises:
        UsageError: It cannot be one.
    """
    if len(name) > MAX_NAME:
        raise UsageError(f"-: the list holds a name of more than {MAX_NAME:,} bytes; is it a list of names?")
    if separator != b"\0" and b"\0" in name:
        raise UsageError("-: the list holds NUL and line breaks; names end with one of them, as find -print0 writes it")
    return [os.fsdecode(name)] if name else []


def _in_utf_16(content: bytes) -> Iterator[str]:
    if len(content) > MAX_UTF_16:
        raise UsageError(f"-: a list of names in UTF-16 has {MAX_UTF_16:,} bytes at most; write it in UTF-8")
    try:
        text = content.decode("utf-16")
    except UnicodeDecodeError:
        raise UsageError("-: the list of names begins as UTF-16, and is not; write it in UTF-8") from None
    for line in text.split("\n"):
        yield from _name(line.rstrip("\r").encode("utf-8", "surrogatepass"), b"\n")
