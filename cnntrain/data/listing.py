"""Names as they can be shown, and what a folder or an archive holds, for a message about what is missing from it."""

from collections.abc import Iterable

from cnntrain.errors import visible

LONGEST = 80


def listing(names: Iterable[str]) -> str:
    """The ``names`` in order, cut at 80 characters."""
    text = ", ".join(sorted(map(visible, names))) or "nothing"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
