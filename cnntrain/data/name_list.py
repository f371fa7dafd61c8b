"""Names as they can be shown, and what a folder or an archive holds, for a message about what is missing from it."""

from collections.abc import Iterable

from cnntrain.errors import visible

MAX_LENGTH = 80


def listing(names: Iterable[str], sort: bool = True) -> str:
    """The ``names``, cut at 80 characters; sorted, unless they have an order of their own."""
    shown = map(visible, names)
    return cut(", ".join(sorted(shown) if sort else shown) or "nothing")


def cut(text: str) -> str:
    """The ``text``, or its first 80 characters."""
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."
