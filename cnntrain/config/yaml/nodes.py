"""A config as it was written: a tree of values with their positions in the file.

An anchor and its aliases share one node, so nodes are never modified.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cnntrain.errors import visible

Path = tuple[str | int, ...]
"""Where a value is in a config: ``("network", "layers", 3, "conv", "K")``."""


class Mark(NamedTuple):
    """Where something was written; line and column count from 1, and are missing for what is no file."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        source = visible(self.source)
        return source if self.line is None else f"{source}:{self.line}:{self.column}"


class Origin(NamedTuple):
    """A text with a config in it, or with one value of a config."""

    name: str
    numbered: bool = True
    """Whether positions have lines and columns; not in an override on the command line."""
    path: Path = ()
    """Where in the config the value belongs."""

    def mark(self, line: int, column: int) -> Mark:
        """Return a mark for a line and column that count from 0."""
        return Mark(self.name, line + 1, column + 1) if self.numbered else Mark(self.name)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, and how it was written."""

    mark: Mark
    value: str | int | float | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: tuple["Node", ...]


class Entry(NamedTuple):
    """One line of a mapping: the key as it was written (perhaps a long name), where, and its value."""

    name: str
    mark: Mark
    node: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values."""

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def child(node: Node | None, step: str | int) -> Node | None:
    """Return the value under a key or an index, or None."""
    if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
        return node.entries[step].node
    if isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def find(root: Node | None, path: Path) -> Node | None:
    """Return the value at ``path``, or None."""
    for step in path:
        root = child(root, step)
    return root


def entry_at(root: Node | None, path: Path) -> Entry | None:
    """Return the key at ``path`` as it was written, or None."""
    outer = find(root, path[:-1])
    return outer.entries.get(str(path[-1])) if isinstance(outer, Mapping) else None


def nearest(root: Node, path: Path) -> Mark:
    """Return where ``path`` is written: the value itself, else the innermost mapping or list that would hold it."""
    mark = root.mark
    node: Node | None = root
    for step in path:
        node = child(node, step)
        if node is None:
            break
        mark = node.mark
    return mark


def word(name: str) -> str:
    """Return a key as part of a path: as it is if printable and short, else quoted and cut."""
    return name if name.isprintable() and len(name) <= 80 else repr(name[:79]) + "…"


def place(root: Node | None, path: Path) -> str:
    """Return ``path`` as people read it, with the names they wrote: ``layers[3].conv.K``, ``training.alpha``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." + word(root.entries[step].name if isinstance(root, Mapping) and step in root.entries else step)
        root = child(root, step)
    return text.removeprefix("." if path[:2] != ("network", "layers") or len(path) < 3 else ".network.")


def put(root: Node, path: Path, entry: Entry) -> Node:
    """Return the tree with ``entry`` at ``path``. Nothing shared is changed, and what is missing on the way is made."""
    if not path:
        return entry.node
    step, rest = path[0], path[1:]
    new = put(child(root, step) or Mapping(entry.mark), rest, entry)
    if isinstance(root, Sequence) and isinstance(step, int):
        return Sequence(root.mark, (*root.items[:step], new, *root.items[step + 1 :]))
    entries = dict(root.entries) if isinstance(root, Mapping) else {}
    key = str(step)
    if not rest:
        entries[key] = entry
    elif key in entries:
        entries[key] = entries[key]._replace(node=new)
    else:
        entries[key] = Entry(key, entry.mark, new)
    return Mapping(root.mark, entries)


def plain(node: Node) -> Any:
    """Return the tree as dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value
