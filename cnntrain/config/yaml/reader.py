"""YAML text to a tree, with limits that hold while it is read: a hostile file costs neither time nor memory.

The tree is made here from the parser's events, because PyYAML's own constructors forget positions, follow tags and read
YAML 1.1.
"""

import yaml

from cnntrain.config.yaml.nodes import Entry, Mapping, Mark, Node, Origin, Path, Scalar, Sequence, place
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.scalars import value_of
from cnntrain.config.yaml.syntax import Unreadable, events
from cnntrain.config.yaml.wording import quoted

DEPTH = 50
"""Mappings and lists inside each other, at most."""
ALIASES = 100
"""Aliases (``*name``), at most."""
VALUES = 10_000
"""Keys, values, mappings and lists, at most; an alias counts as all that it stands for."""


def read_yaml(text: str, origin: Origin) -> tuple[Node | None, list[Problem]]:
    """Return the tree of a text, and its problems.

    The tree is None if the text cannot be read, or if it is empty and there are no problems.
    """
    reader = Reader(origin)
    try:
        for event in events(text, origin):
            reader.take(event)
    except Unreadable as error:
        return None, [*reader.problems, Problem(error.mark, place(None, origin.path), error.sentence)]
    return reader.root, reader.problems


class Open:
    """A mapping or list that is being read."""

    def __init__(self, event: yaml.CollectionStartEvent, mark: Mark):
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.mark = mark
        self.anchor: str | None = event.anchor
        self.items: list[Node] = []
        self.entries: dict[str, Entry] = {}
        self.merged: list[Mapping] = []
        self.key: tuple[str, Mark] | None = None
        self.size = 1

    def node(self) -> Node:
        """Return what has been read, as a node."""
        if not self.is_mapping:
            return Sequence(self.mark, tuple(self.items))
        for mapping in self.merged:
            self.entries = {**mapping.entries, **self.entries}
        return Mapping(self.mark, self.entries)


class Reader:
    """Builds a tree from the parser's events."""

    def __init__(self, origin: Origin):
        self.origin = origin
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.open: list[Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.documents = self.aliases = self.values = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event."""
        begin = event.start_mark
        mark = self.origin.mark(begin.line, begin.column) if begin else self.origin.mark(0, 0)
        if isinstance(event, yaml.NodeEvent):
            self.values += 1
            self.check_size(self.values, mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise Unreadable(mark, "a second document begins here; a config is one document, without '---' lines")
        elif isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            self.attach(*self.alias(event.anchor or "", mark), mark)
        elif isinstance(event, yaml.ScalarEvent):
            self.check_tag(event.tag, mark)
            value = value_of(event.value) if event.implicit[0] else event.value
            self.finish(Scalar(mark, value, event.value), 1, event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.check_tag(event.tag, mark)
            if len(self.open) == DEPTH:
                raise Unreadable(mark, f"more than {DEPTH} mappings and lists inside each other")
            self.anchors.pop(event.anchor or "", None)  # inside it, the name means what is being read
            self.open.append(Open(event, mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            self.finish(done.node(), done.size, done.anchor)

    def finish(self, node: Node, size: int, anchor: str | None) -> None:
        """Name a node that is complete, and attach it."""
        if anchor is not None:
            self.anchors[anchor] = node, size
        self.attach(node, size, node.mark)

    def alias(self, name: str, mark: Mark) -> tuple[Node, int]:
        """Return what an alias stands for, and its size."""
        if self.aliases > ALIASES:
            raise Unreadable(mark, f"more than {ALIASES} aliases (*name)")
        if name in self.anchors:
            return self.anchors[name]
        if any(outer.anchor == name for outer in self.open):
            raise Unreadable(mark, f"the alias {quoted('*' + name)} stands inside what it stands for")
        raise Unreadable(mark, f"the alias {quoted('*' + name)} has no anchor {quoted('&' + name)} before it")

    def attach(self, node: Node, size: int, mark: Mark) -> None:
        """Put a node where it belongs: into the innermost open list or mapping, as a key or as a value."""
        if not self.open:
            self.root = node
            return
        outer = self.open[-1]
        outer.size += size
        self.check_size(outer.size, mark)
        if not outer.is_mapping:
            outer.items.append(node)
        elif outer.key is None:
            if not isinstance(node, Scalar):
                raise Unreadable(mark, "a list or mapping cannot be a key")
            outer.key = node.text, mark
        else:
            (key, key_mark), outer.key = outer.key, None
            if key == "<<":
                self.merge(outer, node)
            elif key in outer.entries:
                first = outer.entries[key].mark
                at = "" if first.line is None else f", first given at {first.line}:{first.column}"
                self.add_problem(key_mark, f"duplicate key {quoted(key)}{at}")
            else:
                outer.entries[key] = Entry(key, key_mark, node)

    def merge(self, outer: Open, node: Node) -> None:
        """Take in the keys of ``<<: *name`` or ``<<: [*name, *other]``; keys written out and earlier ones win."""
        for mapping in node.items if isinstance(node, Sequence) else (node,):
            if isinstance(mapping, Mapping):
                outer.merged.append(mapping)
            else:
                self.add_problem(mapping.mark, "'<<' merges mappings, and this is not one")

    def check_tag(self, tag: str | None, mark: Mark) -> None:
        """No tags: ``!!python/...`` would run code, and no value here needs one."""
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self.add_problem(mark, f"the tag {quoted(written)} is not allowed; write the value alone")

    def check_size(self, size: int, mark: Mark) -> None:
        """Neither what is written nor what aliases make of it may be without end."""
        if size > VALUES:
            raise Unreadable(mark, f"more than {VALUES:,} keys and values, counting all that aliases stand for")

    def add_problem(self, mark: Mark, sentence: str) -> None:
        """Note what is wrong with the value at hand, and read on."""
        path: Path = self.origin.path
        for outer in self.open:
            if not outer.is_mapping:
                path += (len(outer.items),)
            elif outer.key:
                path += (outer.key[0],)
        self.problems.append(Problem(mark, place(None, path), sentence))
