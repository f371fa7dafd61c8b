"""Plain data to a tree, within the limits that hold for YAML."""

from typing import Any

from cnntrain.config.yaml.nodes import Entry, Mapping, Mark, Node, Scalar, Sequence
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.reader import DEPTH, VALUES
from cnntrain.config.yaml.scalars import DIGITS
from cnntrain.config.yaml.syntax import Unreadable

LONG = 10**DIGITS


def tree_of(data: Any, mark: Mark) -> tuple[Node | None, list[Problem]]:
    """Return the tree of dicts, lists and scalars, or None and why there is none."""
    try:
        return Builder(mark).node(data, 0), []
    except Unreadable as error:
        return None, [Problem(error.mark, "", error.sentence)]


class Builder:
    """Makes nodes of plain values, counting them."""

    def __init__(self, mark: Mark):
        self.mark = mark
        self.values = 0

    def node(self, data: Any, depth: int) -> Node:
        """Return one value and all that is in it."""
        self.values += 1
        if self.values > VALUES:
            raise Unreadable(self.mark, f"more than {VALUES:,} keys and values")
        if isinstance(data, (dict, list, tuple)) and depth == DEPTH:
            raise Unreadable(self.mark, f"more than {DEPTH} mappings and lists inside each other")
        match data:
            case dict():
                return Mapping(self.mark, {key: self.entry(key, value, depth + 1) for key, value in data.items()})
            case list() | tuple():
                return Sequence(self.mark, tuple(self.node(value, depth + 1) for value in data))
            case int() if abs(data) >= LONG:
                raise Unreadable(self.mark, f"a number of more than {DIGITS} digits")
            case bool():
                return Scalar(self.mark, data, str(data).lower())
            case None | str() | int() | float():
                return Scalar(self.mark, data, str(data))
        raise Unreadable(self.mark, f"a value of type {type(data).__name__}, which a config cannot have")

    def entry(self, key: Any, value: Any, depth: int) -> Entry:
        """Return one key with its value."""
        if not isinstance(key, str):
            raise Unreadable(self.mark, f"a key of type {type(key).__name__}; keys are text")
        return Entry(key, self.mark, self.node(value, depth))
