"""What a folder or an archive holds, told in a message about what is missing from it."""

from collections.abc import Iterable

LONGEST = 80


def listing(names: Iterable[str]) -> str:
    """The ``names`` in order, cut at 80 characters."""
    text = ", ".join(sorted(names)) or "nothing"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
