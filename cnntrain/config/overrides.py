"""``KEY=VALUE`` overrides: values that replace those in the file or are added to them."""

import re

from cnntrain.config.aliases import model_at, short_name
from cnntrain.config.fields import accepts, model_of
from cnntrain.config.messages import expectation, schema_of
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.yaml.nodes import Entry, Mapping, Mark, Node, Origin, Path, Scalar, Sequence, child, place, put
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.reader import DEPTH, read_yaml
from cnntrain.config.yaml.scalars import value_of
from cnntrain.config.yaml.wording import either, quoted, shown, truncate

KEY = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[[^.\[\]]+\])*")
"""Parts separated by dots; an index may be in brackets, as in error messages: ``layers[0].conv.K``."""


def overridden(root: Node, word: str) -> tuple[Node, list[Problem]]:
    """Return the tree with one override applied, and the problems of the override."""
    mark = Mark(f"override {truncate(word) if word.isprintable() else quoted(word)}")
    key, equals, text = word.partition("=")
    if not equals:
        return root, [Problem(mark, "", "expected KEY=VALUE, such as training.alpha=0.01")]
    path = key_path(root, key, mark)
    if isinstance(path, Problem):
        return root, [path]
    value, problems = value_at(root, path, text, mark)
    if value is None and problems:
        return root, problems
    is_entry = isinstance(path[-1], int)
    if is_nothing(value) and (is_entry or model_of(root, path)):
        expected = "a value" if is_entry else expectation(schema_of(root, path)) or "a mapping"
        return root, [*problems, Problem(mark, place(root, path), f"expected {expected}, got nothing")]
    return put(root, path, Entry(last_part(key), mark, value or Scalar(mark, None, ""))), problems


def key_path(root: Node, key: str, mark: Mark) -> Path | Problem:
    """Return the path that a key such as ``layers[0].conv.K`` leads to, or the problem with it."""
    if not KEY.fullmatch(key):
        return Problem(mark, "", "the key is incomplete; a key is written as in training.alpha=0.01")
    steps = re.findall(r"[^.\[\]]+", key)
    if steps[0] == "layers":  # error messages leave out the section network
        steps = ["network", *steps]
    if len(steps) > DEPTH:
        return Problem(mark, "", f"the key has more than {DEPTH} parts")
    return path_of(root, steps, mark)


def last_part(key: str) -> str:
    """Return the last part of a key, as it was written."""
    parts: list[str] = re.findall(r"[^.\[\]]+", key)
    return parts[-1]


def value_at(root: Node, path: Path, text: str, mark: Mark) -> tuple[Node | None, list[Problem]]:
    """Return the value of the text after ``=`` at ``path``, and its problems.

    A key that accepts text takes it literally: YAML would misread a path such as ``pics #1``, ``2024`` or ``[x]``.
    Where the key accepts numbers, too, quotes turn a number into text. Everything else is YAML.
    """
    value, problems = read_yaml(text, Origin(mark.source, numbered=False, path=path))
    if not text:
        return value, problems
    bare = value_of(value.value) if isinstance(value, Scalar) and isinstance(value.value, str) else None
    for other in (value.value if isinstance(value, Scalar) else None, bare):
        if other is not None and not isinstance(other, str) and accepts(root, path, other):
            return value, problems
    if accepts(root, path, text):
        return Scalar(mark, text, text), []
    if accepts(root, path, [text]):
        return Sequence(mark, (Scalar(mark, text, text),)), []
    return value, problems


def is_nothing(node: Node | None) -> bool:
    """Return whether there is no value at all, not even null."""
    return node is None or (isinstance(node, Scalar) and not node.text and node.value is None)


def is_layer(root: Node, path: Path) -> bool:
    """Return whether ``path`` leads to an entry of ``network.layers``."""
    return model_at(root, path) is LayerEntry


def path_of(root: Node, steps: list[str], mark: Mark) -> Path | Problem:
    """Return the path that the parts of a key lead to, or the problem with them."""
    path: Path = ()
    node: Node | None = root
    for step in steps:
        if isinstance(node, Sequence):
            count = len(node.items)
            if not (step.isascii() and step.isdigit() and len(step) < 10 and int(step) < count):
                numbers = f"its {count} entries are numbered 0 to {count - 1}" if count else "it has no entries"
                return Problem(mark, place(root, path), f"there is no entry {quoted(step)}; {numbers}")
            path += (int(step),)
        elif isinstance(node, Scalar) and node.value is not None:
            return Problem(mark, place(root, path), f"there is no key {quoted(step)} in it, as it is {shown(node)}")
        elif is_layer(root, path) and isinstance(node, Mapping) and node.entries and step not in node.entries:
            inner = [(*path, kind, short_name(root, (*path, kind), step)) for kind in node.entries]
            meant = next((f"; write {place(root, key)}" for key in inner if model_of(root, key)), "")
            sentence = f"there is no key {quoted(step)} in it, but {either(node.entries)}{meant}"
            return Problem(mark, place(root, path), sentence)
        else:
            path += (short_name(root, path, step),)
        node = child(node, path[-1])
    return path
