"""What varies, from the section ``search`` of a sweep file and from words."""

from collections.abc import Iterator
from collections.abc import Sequence as Items

from cnntrain.config.familiar_names import dotted_key
from cnntrain.config.overrides import key_path
from cnntrain.config.schema.config import Config
from cnntrain.config.schema.sweep import RangeOptions
from cnntrain.config.sweep.base import Base
from cnntrain.config.sweep.dimensions import Dimension, choices, is_range, numbers, wrong_kind
from cnntrain.config.sweep.options import checked_options
from cnntrain.config.sweep.words import Searched, searched
from cnntrain.config.yaml.nodes import Mapping, Mark, Node, Path, Sequence, find
from cnntrain.config.yaml.problems import Problem

REFUSED: dict[str, str] = {
    **dict.fromkeys(
        (f"data.{key}" for key in ("source", "path", "validation", "test", "split", "labels", "label", "group")),
        "this key decides which samples trials are compared on, so it cannot vary",
    ),
    **dict.fromkeys(
        ("training.workers", "training.checkpoint_every", "training.tensorboard"),
        "this key does not change the result, so it need not vary",
    ),
}


def with_words(base: Base, words: Items[str], problems: list[Problem]) -> tuple[Base, list[Searched | Path]]:
    """Return the base with the words that set one value, and what the others let vary.

    The path of a key that a word sets is in the list, too: it does not vary any more.
    """
    found: list[Searched | Path] = []
    for word in words:
        result = searched(base.root, word)
        if isinstance(result, Problem):
            problems.append(result)
        elif isinstance(result, Searched):
            found.append(result)
        else:
            base, more = base.overridden(word)
            problems += more
            path = key_path(base.root, word.partition("=")[0], Mark("")) if not more else None
            if path is not None and not isinstance(path, Problem):
                found.append(path)
    return base, found


def searched_dimensions(
    base: Base, root: Node, words: Items[Searched | Path], problems: list[Problem]
) -> Iterator[Dimension]:
    """Return what varies, by the file and then by the words; problems are added."""
    section, found = find(root, ("search",)), dict[Path, tuple[str, Mark, Node]]()
    entries = section.entries.values() if isinstance(section, Mapping) else ()
    for name, mark, node in [(entry.name, entry.mark, entry.node) for entry in entries]:
        path = key_path(base.root, name, mark)
        if isinstance(path, Problem):
            problems.append(path._replace(mark=mark))
        elif path in found:
            problems.append(Problem(mark, "search", f"'{found[path][0]}' and '{name}' mean the same; keep one of them"))
        else:
            found[path] = name, mark, node
    for word in words:
        path = key_path(base.root, word.key, word.mark) if isinstance(word, Searched) else word
        if isinstance(path, Problem):
            problems.append(path)
        elif isinstance(word, Searched):
            found[path] = word.key, word.mark, word.node
        else:
            found.pop(path, None)
    for path, (name, mark, node) in found.items():
        outer = next((other for other in found if other != path and path[: len(other)] == other), None)
        key = ".".join(map(str, path))
        if key in REFUSED:
            problems.append(Problem(mark, name, REFUSED[key]))
        elif len(path) < 2 or path[0] not in Config.model_fields:
            meant = dotted_key(name)
            hint = f"; did you mean '{meant}'?" if meant else ", as in training.alpha"
            problems.append(Problem(mark, name, f"not a key of data, network or training{hint}"))
        elif outer is not None:
            problems.append(Problem(mark, name, f"this is part of {found[outer][0]}, which varies, too"))
        else:
            dimension = dimension_of(base, path, name, mark, node)
            if isinstance(dimension, Problem):
                problems.append(dimension)
            else:
                yield dimension


def dimension_of(base: Base, path: Path, name: str, mark: Mark, node: Node) -> Dimension | Problem:
    """Return one entry of ``search``, or the problem with it."""
    result: Dimension | str
    if isinstance(node, Sequence):
        result = choices(path, mark, node.items)
    elif is_range(node):
        options, wrong = checked_options(RangeOptions, node)
        if options is None:
            first = wrong[0]
            return first._replace(place=".".join(part for part in (name, first.place) if part))
        result = numbers(base.root, path, mark, options.from_, options.to, options.step, options.scale)
    else:
        return wrong_kind(node, name)
    return Problem(node.mark, name, result) if isinstance(result, str) else result
