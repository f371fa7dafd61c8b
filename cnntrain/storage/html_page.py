"""Self-contained HTML pages: how they are recognized, and the hashes by which their policy allows script and style."""

import base64
import hashlib
from pathlib import Path

MARK_WITHIN = 1000
"""Bytes at the beginning of a page that hold its mark."""


def mark(command: str) -> str:
    """Return the element that tells the pages of a command, such as ``cnntrain report``, from other files."""
    return f'<meta name="generator" content="{command}">'


def is_page(path: Path, command: str) -> bool:
    """Return whether a file is a page that ``command`` wrote, which another page may replace."""
    try:
        if not path.is_file():  # opening a pipe would wait for a writer
            return False
        with path.open("rb") as file:
            return mark(command).encode() in file.read(MARK_WITHIN)
    except OSError:
        return False


def digest(content: str) -> str:
    """Return the hash by which a content security policy allows a script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
