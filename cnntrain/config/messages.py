"""Pydantic's errors in plain words: ``expected a whole number of at least 1, got 'many'``.

The expectation follows from the field's JSON schema, so that a new field needs no text here.
"""

import re
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cnntrain.config.aliases import model_at, short_name
from cnntrain.config.familiar_names import NO_KEYS, familiar_key, lookup
from cnntrain.config.fields import accepts, model_of
from cnntrain.config.schema.config import SOURCES, URL
from cnntrain.config.schema.entries import OPTIONS, LayerEntry
from cnntrain.config.schema.options import Options
from cnntrain.config.yaml.nodes import Node, Path, Scalar, find
from cnntrain.config.yaml.scalars import value_of
from cnntrain.config.yaml.wording import did_you_mean, either, near, odd_letters, quoted, shown

SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}
EXAMPLES = 8
"""Number of keys that are named where a mapping is missing."""
COUNTS = {1: "one", 2: "two", 3: "three"}


def sentence_of(error: ErrorDetails, root: Node, path: Path) -> str:
    """Return pydantic's error at ``path`` in plain words."""
    node, kind = find(root, path), error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "extra_forbidden":
        return unknown_key(root, path)
    if kind == "union_tag_not_found":
        return f"missing key 'source': {either(SOURCES)}"
    if node is None:
        expected = expectation(schema_of(root, path))
        return f"missing key '{path[-1]}'" + (f", {expected}" if expected else "")
    model = model_at(root, path)
    if model:
        return f"expected a mapping with keys such as {either([*model.model_fields][:EXAMPLES])}, got {shown(node)}"
    schema = schema_of(root, path)
    return f"expected {expectation(schema)}, got {shown(node)}{fix(root, path, node, schema)}"


def unknown_key(root: Node, path: Path) -> str:
    """Return the message for an unknown key, with the key that was probably meant."""
    key, model, meant = str(path[-1]), model_at(root, path[:-1]), suggestion_for(root, path)
    message = f"unknown key {quoted(key)}{odd_letters(key)}"
    if meant and len(meant) > len(path):
        return f"{message}; it belongs to '{meant[-2]}': indent it further than '{meant[-2]}'"
    _, mark, _ = split_key(key)
    if meant and mark:
        return f"{message}; " + ("a ':' needs a space after it" if mark == ":" else f"write '{meant[-1]}: VALUE'")
    familiar = familiar_key(root, path[:-1], key)
    if familiar:
        return f"{message}; did you mean '{familiar}'?"
    without = lookup(NO_KEYS, key) if len(key) > 1 else None  # a letter is an option of the command line at most
    if without:
        return f"{message}; {without}"
    suggestion = did_you_mean(key, known_keys(model))
    return message + (suggestion or f"; known here: {', '.join(names_in(model))}")


def suggestion_for(root: Node, path: Path) -> Path | None:
    """Return the path of the key that was probably meant by an unknown key, or None."""
    outer, key = path[:-1], str(path[-1])
    model = model_at(root, outer)
    for kind, options in OPTIONS.items() if model is LayerEntry else ():
        if find(root, (*outer, kind)) and key in known_keys(options):
            return (*outer, kind, short_name(root, (*outer, kind), key))
    name, _, _ = split_key(key)
    known = familiar_key(root, outer, name) or near(name, known_keys(model))
    if known is None or "." in known:
        return None
    return (*outer, short_name(root, outer, known))


def split_key(key: str) -> tuple[str, str, str]:
    """Split a key that contains its value, such as ``P:1`` or ``l2=0.01``; other keys only have a name."""
    name, mark, value = re.match(r"([^:：=\s]*)([:：=]?)(.*)", key, re.DOTALL).groups()  # type: ignore[union-attr]
    return (name, mark, value) if name and mark else (key, "", "")


def names_in(model: type[BaseModel] | None) -> list[str]:
    """Return the keys of a mapping, each with its long names: ``K (filters)``."""
    longer = model.long_names if model and issubclass(model, Options) else {}
    names = {
        key: [long for long, short in longer.items() if short == key] for key in (model.model_fields if model else ())
    }
    return [f"{key} ({', '.join(long)})" if long else key for key, long in names.items()]


def known_keys(model: type[BaseModel] | None) -> list[str]:
    """Return all keys of a mapping, short and long."""
    longer = model.long_names if model and issubclass(model, Options) else ()
    return [*(model.model_fields if model else ()), *longer]


def schema_of(root: Node, path: Path) -> dict[str, Any]:
    """Return the JSON schema of one key."""
    if path == ("data", "source"):
        return {"enum": list(SOURCES)}
    model = model_of(root, path)
    return properties(model).get(str(path[-1]), {}) if model else {}


@cache
def properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of a model's keys."""
    schema = model.model_json_schema()
    if "$ref" in schema:  # the model occurs in itself: a residual block holds layers
        schema = schema["$defs"][model.__name__]
    found: dict[str, dict[str, Any]] = schema["properties"]
    return found


def branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives of a schema, without null."""
    return [branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]


def words_of(schema: dict[str, Any]) -> list[str]:
    """Return the words that a key accepts."""
    return [str(word) for branch in branches(schema) for word in branch.get("enum", [branch.get("const")]) if word]


def expectation(schema: dict[str, Any]) -> str:
    """Return what a key accepts: ``a whole number of at least 1 or all``."""
    kinds = [(branch, text) for branch in branches(schema) if not words_of(branch) and (text := description(branch))]
    lists = [text for branch, text in kinds if branch.get("type") == "array"]
    parts = [text for _, text in kinds if text not in lists] + words_of(schema) + lists
    return either(parts) if parts else ""


def description(schema: dict[str, Any]) -> str:
    """Describe the values of a schema that is not a choice of words; empty for a mapping."""
    if schema.get("type") == "array":
        fixed, least = schema.get("prefixItems"), schema.get("minItems", 0)
        each = description(fixed[0] if fixed else schema.get("items", {}))
        count = COUNTS.get(least, least)
        return f"a list of {'' if fixed else 'at least '}{count}" + (f", each {each}" if each else "")
    if schema.get("pattern") == URL:
        return "a URL that begins with http:// or https://"
    if schema.get("examples"):
        return f"text such as {schema['examples'][0]!r}"
    kind = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    bounds = [
        f"{words} {schema[bound]}"
        for bound, words in (
            ("minimum", "of at least"),
            ("exclusiveMinimum", "above"),
            ("exclusiveMaximum", "below"),
            ("maximum", "at most"),
        )
        if bound in schema
    ]
    return " ".join((kind.get(schema.get("type", ""), ""), " and ".join(bounds))).strip()


def fix(root: Node, path: Path, node: Node, schema: dict[str, Any]) -> str:
    """Return a suggestion that corrects a near miss, if the key accepts it."""
    if not isinstance(node, Scalar):
        return ""

    def accepted(text: str) -> bool:
        return accepts(root, path, value_of(text))

    types = {branch.get("type") for branch in branches(schema)}
    if isinstance(node.value, str):
        bare = node.value.replace("_", "").lstrip("0") or "0"
        if is_number(node.value) and accepted(node.value):
            return "; remove the quotes"
        if node.value and is_number(bare) and accepted(bare):
            return f"; write {bare}"
        if "boolean" in types and node.value.lower() in SWITCHES:
            return f"; write {SWITCHES[node.value.lower()]}"
        return odd_letters(node.value) + did_you_mean(node.value, words_of(schema))
    if isinstance(node.value, float) and node.value.is_integer() and abs(node.value) < 1e15:
        return f"; write {int(node.value)}" if accepted(str(int(node.value))) else ""
    return ""


def is_number(text: str) -> bool:
    """Return whether ``text``, without quotes, would be a number."""
    return type(value_of(text)) in (int, float)
