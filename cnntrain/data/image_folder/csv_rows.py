"""Rows of a CSV file about images, with limits that protect the memory."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from cnntrain.errors import DataError
from cnntrain.storage import read_file

MAX_BYTES = 64_000_000
"""Maximum size of a file in bytes."""
MAX_COUNT = 1_000_000
"""Maximum number of rows."""
MAX_LENGTH = 1_000_000
"""Maximum length of a line in characters."""
MAX_WIDTH = 2_000
"""Maximum number of values in a row."""
SEPARATORS = ",;\t"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def rows_of(path: Path, what: str, separators: str = SEPARATORS) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and values of each non-empty row. Bytes that are not text become surrogates.

    Args:
        path: The file.
        what: The kind of file for messages, such as ``split file``.
        separators: Possible separators; the first line decides.

    Raises:
        DataError: The file is missing or too large, or a row is malformed.
    """
    try:
        content = read_file(path, MAX_BYTES)
    except OSError as error:
        raise DataError(f"{path}: the {what} cannot be read: {error.strerror or error}") from None
    encoding = "utf-16" if content.startswith(UTF_16) else "utf-8-sig"
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors=errors, newline="")
    first = text.readline(MAX_LENGTH)
    text.seek(0)
    separator = max(separators, key=first.count)
    rows = csv.reader(_lines(text, path), delimiter=separator, strict=True)
    count = 0
    try:
        for row in rows:
            if row:
                count += 1
                if count > MAX_COUNT + 1:
                    raise DataError(f"{path}: line {rows.line_num} is too many: at most {MAX_COUNT:,} rows are allowed")
                if len(row) > MAX_WIDTH:
                    raise DataError(f"{path}: line {rows.line_num} has {len(row):,} values; the limit is {MAX_WIDTH:,}")
                yield rows.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}: line {rows.line_num} {_reason(str(error))}") from None


def _reason(error: str) -> str:
    """What is wrong with a row, of what the module csv says about it."""
    if "field limit" in error:
        return f"has a value of more than {csv.field_size_limit():,} characters"
    if "expected after" in error:
        return "has text behind a closing quote"
    if "unexpected end" in error:
        return "is the last one, and a quote is not closed"
    return "is malformed: quotes do not match, or a line ends within a value"


def _lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LENGTH + 1):
        number += 1
        if len(line) > MAX_LENGTH:
            raise DataError(f"{path}: line {number} has more than {MAX_LENGTH:,} characters")
        yield line
