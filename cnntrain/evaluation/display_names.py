"""Names of classes and files, shortened for display."""

from unicodedata import east_asian_width

from cnntrain.errors import visible

__all__ = ["columns", "short", "visible"]


def columns(text: str) -> int:
    """Return the width of a text: a Chinese, Japanese or Korean letter is as wide as two others.

    Examples:
        >>> columns("a狗")
        3
    """
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def short(name: str, max_columns: int = 24) -> str:
    """Return a name in at most ``max_columns`` columns. Its middle is cut, since names often begin alike."""
    name = visible(name)
    if columns(name) <= max_columns:
        return name
    half = max_columns // 2
    head, tail = name[:half], name[len(name) - (max_columns - half - 1) :]
    while columns(head) > half:
        head = head[:-1]
    while columns(tail) > max_columns - half - 1:
        tail = tail[1:]
    return f"{head}…{tail}"
