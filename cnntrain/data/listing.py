"""Names as they can be shown, and what a folder or an archive holds, for a message about what is missing from it."""

from collections.abc import Iterable

LONGEST = 80


def visible(name: str) -> str:
    r"""Return ``name`` with what cannot be shown as escapes: a line break as ``\n``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def listing(names: Iterable[str]) -> str:
    """The ``names`` in order, cut at 80 characters."""
    text = ", ".join(sorted(map(visible, names))) or "nothing"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
