"""The short form of a sweep: ``training.alpha=1e-4..1e-1 training.batch_size=16,32 trials=20``."""

import re
from dataclasses import dataclass

from cnntrain.config.fields import accepts
from cnntrain.config.overrides import key_path
from cnntrain.config.schema.sweep import METRICS, SweepOptions
from cnntrain.config.sweep.dimensions import is_range
from cnntrain.config.yaml.nodes import Entry, Mapping, Mark, Node, Origin, Scalar, Sequence, plain, put
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.reader import read_yaml
from cnntrain.config.yaml.scalars import value_of
from cnntrain.config.yaml.wording import quoted, truncate

RANGE = re.compile(r"(?P<low>.+?)\.\.(?P<high>.+?)(?:\.\.(?P<step>.+?))?(?::(?P<scale>log|linear))?")
LOG_FROM = 100
"""A range of positive numbers whose ends have this ratio gets a log scale, unless the word says otherwise."""


@dataclass(frozen=True)
class Searched:
    """A word that lets a key vary."""

    key: str
    mark: Mark
    node: Node


def mark_of(word: str) -> Mark:
    """Return where a word was written."""
    return Mark(f"word {truncate(word) if word.isprintable() else quoted(word)}")


def is_option(word: str) -> bool:
    """Return whether a word is about the sweep and not about the config: ``trials=60``."""
    key = word.partition("=")[0]
    return key in SweepOptions.model_fields or key.startswith(("halving.", "goal."))


def with_option(root: Node, word: str) -> tuple[Node, list[Problem]]:
    """Return the tree of a sweep file with one of its keys replaced."""
    mark, (key, equals, text) = mark_of(word), word.partition("=")
    if not equals:
        return root, [Problem(mark, "", "expected KEY=VALUE, such as trials=60")]
    value, problems = read_yaml(text, Origin(mark.source, numbered=False))
    path = tuple(key.split("."))
    if path[0] == "goal":  # the other direction must not stay
        if len(path) > 1:
            value, path = Mapping(mark, {path[1]: Entry(path[1], mark, value or Scalar(mark, None, ""))}), path[:1]
        return put(root, path, Entry("goal", mark, value or Scalar(mark, None, ""))), problems
    return put(root, path, Entry(path[-1], mark, value or Scalar(mark, None, ""))), problems


def with_whole_goal(root: Node) -> Node:
    """Return the tree of a sweep file with ``goal: validation.accuracy`` in full."""
    entry = root.entries.get("goal") if isinstance(root, Mapping) else None
    if entry is None or not isinstance(entry.node, Scalar):
        return root
    direction = next((key for key, metric in METRICS.items() if metric == entry.node.value), None)
    if direction is None:
        return root
    return put(root, ("goal",), entry._replace(node=Mapping(entry.mark, {direction: entry})))


def searched(root: Node, word: str) -> Searched | Problem | None:
    """Return what a word lets vary, or the problem with it; None if it is a single value: an override.

    Args:
        root: The base config.
        word: ``KEY=A,B,C``, ``KEY=FROM..TO``, ``KEY=FROM..TO..STEP``, or ``KEY=`` and what a sweep file has there.
    """
    mark, (key, equals, text) = mark_of(word), word.partition("=")
    if not equals or not text:
        return None  # reported with the overrides
    path = key_path(root, key, mark)
    if isinstance(path, Problem):
        return path
    node, problems = read_yaml(text, Origin(mark.source, numbered=False, path=path))
    if accepts(root, path, text) or (node is not None and accepts(root, path, plain(node))):
        return None
    found = RANGE.fullmatch(text)
    if found:
        return Searched(key, mark, range_node(mark, found.groupdict()))
    if node is not None and (is_range(node) or isinstance(node, Sequence)):
        return problems[0] if problems else Searched(key, mark, node)
    if "," not in text or text.startswith(("[", "{")):
        return None
    nodes = []
    for part in text.split(","):
        item, more = read_yaml(part, Origin(mark.source, numbered=False, path=path))
        if more or item is None:
            return more[0] if more else Problem(mark, key, "a value is missing between two commas")
        nodes.append(item)
    return Searched(key, mark, Sequence(mark, tuple(nodes)))


def range_node(mark: Mark, parts: dict[str, str | None]) -> Mapping:
    """Return a range as a sweep file has it."""
    low, high, step = (value_of(parts[name] or "") for name in ("low", "high", "step"))
    scale = parts["scale"]
    if scale is None and step is None and isinstance(low, int | float) and isinstance(high, int | float):
        scale = "log" if low > 0 and high / low >= LOG_FROM else None
    values = {"from": low, "to": high, "step": step, "scale": scale}
    return Mapping(
        mark,
        {
            name: Entry(name, mark, Scalar(mark, value, str(parts.get(name) or value)))
            for name, value in values.items()
            if value is not None
        },
    )
