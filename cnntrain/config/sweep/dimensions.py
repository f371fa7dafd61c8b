"""What varies in a sweep: a list of values, or a range of numbers, for a key of the config."""

import json
import math
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any

from cnntrain.config.fields import accepts
from cnntrain.config.yaml.from_dict import tree_of
from cnntrain.config.yaml.nodes import Entry, Mapping, Mark, Node, Path, Scalar, plain
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.wording import shown

DIGITS = 4
"""Significant digits of a number that is drawn from a range."""
MAX_VALUES = 1_000
"""Maximum number of values in a list."""
EXAMPLES = "a list such as [16, 32, 64], or a range such as {from: 1e-4, to: 1e-1, scale: log}"
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Choices:
    """A list of values."""

    path: Path
    mark: Mark
    nodes: tuple[Node, ...]

    @property
    def key(self) -> str:
        """The key in dots, under its short name."""
        return ".".join(map(str, self.path))

    @property
    def values(self) -> list[Value]:
        """The values; a list or mapping as its JSON text."""
        return [node.value if isinstance(node, Scalar) else json.dumps(plain(node)) for node in self.nodes]

    def candidates(self) -> list[Node]:
        """Return the values to check: all of them."""
        return list(self.nodes)

    def entry(self, value: Value) -> Entry:
        """Return a value as an entry of the config, without a position."""
        return Entry(str(self.path[-1]), Mark(""), without_positions(self.nodes[self.values.index(value)]))

    def to_plain(self) -> Any:
        """Return what a sweep file has."""
        return [plain(node) for node in self.nodes]

    def text(self) -> str:
        """Return the values for people."""
        return ", ".join(map(value_text, self.values))


@dataclass(frozen=True)
class Range:
    """A range of numbers, both ends included."""

    path: Path
    mark: Mark
    low: float
    high: float
    step: float | None
    is_log: bool
    is_integer: bool

    @property
    def key(self) -> str:
        """The key in dots, under its short name."""
        return ".".join(map(str, self.path))

    @property
    def values(self) -> list[Value] | None:
        """All values of a range with steps; None if there is no end of them."""
        if self.step is None or self.is_log:
            return None
        count = round((self.high - self.low) / self.step) + 1
        return [self.rounded(self.low + i * self.step) for i in range(count)]

    def rounded(self, value: float) -> int | float:
        """Return a number of the range with few digits, never outside of it."""
        if self.is_integer:
            return int(value)
        if value in (self.low, self.high):
            return float(value)
        digits = 12 if self.step is not None else DIGITS
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)

    def candidates(self) -> list[Node]:
        """Return the values to check: both ends."""
        return [Scalar(self.mark, value, f"{value!r}") for value in (self.rounded(self.low), self.rounded(self.high))]

    def entry(self, value: Value) -> Entry:
        """Return a value as an entry of the config, without a position."""
        return Entry(str(self.path[-1]), Mark(""), Scalar(Mark(""), value, repr(value)))

    def to_plain(self) -> Any:
        """Return what a sweep file has."""
        step = {} if self.step is None or (self.is_integer and self.step == 1) else {"step": self.step}
        return {"from": self.low, "to": self.high, **step, **({"scale": "log"} if self.is_log else {})}

    def text(self) -> str:
        """Return the range for people."""
        kind = "whole numbers " if self.is_integer else ""
        step = (
            f" in steps of {self.step:g}" if self.step is not None and not (self.is_integer and self.step == 1) else ""
        )
        return f"{kind}{self.low:g} to {self.high:g}{step}{', log scale' if self.is_log else ''}"


Dimension = Choices | Range


def value_text(value: Value) -> str:
    """Return a value for a table."""
    return f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def without_positions(node: Node) -> Node:
    """Return a tree that does not tell where it was written, so that messages are the same everywhere."""
    tree, _ = tree_of(plain(node), Mark(""))
    return node if tree is None else tree


def choices(path: Path, mark: Mark, nodes: Items[Node]) -> Choices | str:
    """Return a list of values, or what is wrong with it."""
    if not nodes:
        return "the list is empty; give the values to try"
    if len(nodes) > MAX_VALUES:
        return f"a list of {len(nodes):,} values; at most {MAX_VALUES:,} can be tried"
    made = Choices(path, mark, tuple(nodes))
    seen: list[tuple[type, Value]] = []
    for node, value in zip(nodes, made.values, strict=True):
        if (type(value), value) in seen:
            return f"the value {shown(node)} is in the list twice"
        seen.append((type(value), value))
    return made


def numbers(root: Node, path: Path, mark: Mark, low: float, high: float, step: float | None, scale: str) -> Range | str:
    """Return a range, or what is wrong with it.

    It consists of whole numbers if the key accepts no others.
    """
    is_log, between = scale == "log", (low + high) / 2 + (0.1234567 * (high - low) if high > low else 0.0)
    is_integer = not accepts(root, path, between) and accepts(root, path, max(1, round(between)))
    if is_integer and not all(float(number).is_integer() for number in (low, high, step or 0)):
        return f"this key takes whole numbers, got {', '.join(f'{n:g}' for n in (low, high, step) if n is not None)}"
    if low >= high:
        return f"'from' must be below 'to', got {low:g} and {high:g}"
    if is_log and low <= 0:
        return f"a log scale needs numbers above 0, got 'from: {low:g}'"
    if is_log and step is not None:
        return "a log scale has no steps; leave out 'step', or write a list"
    if step is not None:
        count = math.floor((high - low) / step + 1e-9)
        if count >= MAX_VALUES:
            return (
                f"a range of {count + 1:,} steps; at most {MAX_VALUES:,} can be tried; leave out 'step', or enlarge it"
            )
        if not math.isclose(low + count * step, high, rel_tol=1e-9, abs_tol=1e-12):
            return f"steps of {step:g} from {low:g} do not reach {high:g}; the last one is {low + count * step:g}"
    if is_integer:
        return Range(path, mark, int(low), int(high), int(step or 1) if not is_log else None, is_log, True)
    return Range(path, mark, float(low), float(high), None if step is None else float(step), is_log, False)


def is_range(node: Node) -> bool:
    """Return whether a mapping is a range."""
    return isinstance(node, Mapping) and bool({"from", "to"} & node.entries.keys())


def wrong_kind(node: Node, key: str) -> Problem:
    """Return the problem of what is neither a list nor a range."""
    more = "; a value that does not vary belongs into the base config" if isinstance(node, Scalar) else ""
    return Problem(node.mark, key, f"expected {EXAMPLES}, got {shown(node)}{more}")
