"""The keys of a sweep file, validated."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cnntrain.config.messages import expectation, properties
from cnntrain.config.schema.options import Options
from cnntrain.config.schema.sweep import METRICS, GoalOptions, HalvingOptions
from cnntrain.config.yaml.nodes import Mapping, Node, Path, Scalar, entry_at, find, nearest, plain
from cnntrain.config.yaml.problems import Problem
from cnntrain.config.yaml.wording import did_you_mean, quoted, shown

PARTS: dict[str, type[Options]] = {"goal": GoalOptions, "halving": HalvingOptions}
BRANCHES = ("HalvingOptions", "literal[False]")
"""What pydantic adds to the path of an error in a key of several types."""
EXPECTED = {
    "goal": "validation.loss or validation.accuracy",
    "halving": "false, or a mapping such as {first: 5, factor: 3}",
    "search": "a mapping of keys of the config, each with a list or a range",
    "base": "the path or name of a config",
}
"""Where the schema says too little."""


def checked_options(model: type[Options], root: Node) -> tuple[Any, list[Problem]]:
    """Return the validated options in a mapping of a sweep file, or None and what is wrong with them."""
    try:
        return model.model_validate(plain(root)), []
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False)
    is_mapping = isinstance(find(root, ("halving",)), Mapping)
    skipped = BRANCHES[1] if is_mapping else BRANCHES[0]
    problems = [problem_of(error, model, root) for error in errors if skipped not in error["loc"]]
    return None, list(dict.fromkeys(problems))


def problem_of(error: ErrorDetails, model: type[Options], root: Node) -> Problem:
    """Return one of pydantic's errors in plain words, with its position."""
    path: Path = tuple(step for step in error["loc"] if step not in BRANCHES)
    kind = PARTS.get(str(path[0]), model) if path[1:] else model
    name, node = str(path[-1]) if path else "", find(root, path)
    entry = entry_at(root, path) if path else None
    if error["type"] == "extra_forbidden" and entry is not None:
        suggestion = did_you_mean(name, properties(kind)) or f"; known here: {', '.join(properties(kind))}"
        return Problem(entry.mark, dotted(path[:-1]), f"unknown key {quoted(name)}{suggestion}")
    if error["type"] == "missing":
        return Problem(nearest(root, path), dotted(path[:-1]), f"missing key '{name}'")
    if error["type"] == "value_error":
        return Problem(nearest(root, path), dotted(path), str(error["ctx"]["error"]))
    expected = EXPECTED.get(name) or expectation(properties(kind).get(name, {})) or "a mapping"
    sentence = f"expected {expected}, got {shown(node) if node else 'nothing'}"
    if isinstance(node, Scalar) and str(node.value).startswith("test") and name in (*METRICS, "goal"):
        sentence += "; the test split takes no part in a sweep"
    return Problem(nearest(root, path), dotted(path), sentence)


def dotted(path: Path) -> str:
    """Return a path of a sweep file for people."""
    return ".".join(map(str, path))
