"""``data.path``: relative to what, and made absolute."""

import os
from pathlib import Path

from cnntrain.config.faults import Fault
from cnntrain.config.tree import Node, Scalar, entry_at, place, put
from cnntrain.config.wording import shown

PATH = ("data", "path")


def with_absolute_path(root: Node, folder: Path) -> tuple[Node, list[Fault]]:
    """Return the tree with ``data.path`` absolute, or a fault if it cannot be a path.

    In a file it is relative to ``folder``, elsewhere to the current folder; ``~`` is the user's home.
    """
    entry = entry_at(root, PATH)
    if entry is None or not isinstance(entry.node, Scalar) or not isinstance(entry.node.value, str):
        return root, []
    text, mark = entry.node.value, entry.node.mark
    if text and is_text(text):
        base = "" if mark.line is None else folder
        absolute = os.path.realpath(os.path.join(base, os.path.expanduser(text)))
        if is_text(absolute):
            return put(root, PATH, entry._replace(node=Scalar(mark, absolute, absolute))), []
    return root, [Fault(mark, place(root, PATH), f"expected the path of a file or folder, got {shown(entry.node)}")]


def is_text(path: str) -> bool:
    """Return whether a path can be opened, and be kept in a file of text."""
    try:
        return b"\0" not in path.encode()
    except UnicodeEncodeError:
        return False
