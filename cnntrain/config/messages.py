"""Pydantic's errors as sentences for people: ``expected a whole number of at least 1, got 'many'``.

What is expected is told from the field's own JSON schema, so that a new field needs no words here.
"""

import re
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cnntrain.config.aliases import model_at, short_name
from cnntrain.config.familiar_names import NO_KEYS, lookup, usual_key
from cnntrain.config.fields import accepts, model_of
from cnntrain.config.schema.config import SOURCES, URL, LayerEntry
from cnntrain.config.schema.layers import OPTIONS, Options
from cnntrain.config.yaml.nodes import Node, Path, Scalar, find
from cnntrain.config.yaml.scalars import value_of
from cnntrain.config.yaml.wording import did_you_mean, either, near, odd_letters, quoted, shown

SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}
EXAMPLES = 8
"""Keys that are named where a mapping is missing."""
COUNTS = {1: "one", 2: "two", 3: "three"}


def sentence_of(error: ErrorDetails, root: Node, path: Path) -> str:
    """Return in plain words what pydantic found at ``path``."""
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
    """Return what is wrong with a key that the schema does not have, and what was probably meant."""
    key, model, meant = str(path[-1]), model_at(root, path[:-1]), suggestion_for(root, path)
    told = f"unknown key {quoted(key)}{odd_letters(key)}"
    if meant and len(meant) > len(path):
        return f"{told}; it belongs to '{meant[-2]}': indent it further than '{meant[-2]}'"
    _, mark, _ = split_key(key)
    if meant and mark:
        return f"{told}; " + ("a ':' needs a space after it" if mark == ":" else f"write '{meant[-1]}: VALUE'")
    usual = usual_key(root, path[:-1], key)
    if usual:
        return f"{told}; did you mean '{usual}'?"
    without = lookup(NO_KEYS, key)
    if without:
        return f"{told}; {without}"
    suggestion = did_you_mean(key, known_keys(model))
    return told + (suggestion or f"; known here: {', '.join(names_in(model))}")


def suggestion_for(root: Node, path: Path) -> Path | None:
    """Return the place of the key that an unknown key was probably meant to be, None if none comes near."""
    outer, key = path[:-1], str(path[-1])
    model = model_at(root, outer)
    for kind, options in OPTIONS.items() if model is LayerEntry else ():
        if find(root, (*outer, kind)) and key in known_keys(options):
            return (*outer, kind, short_name(root, (*outer, kind), key))
    name, _, _ = split_key(key)
    known = usual_key(root, outer, name) or near(name, known_keys(model))
    if known is None or "." in known:
        return None
    return (*outer, short_name(root, outer, known))


def split_key(key: str) -> tuple[str, str, str]:
    """Return the parts of a key that is a key and its value: ``P:1``, ``l2=0.01``; the others have only a name."""
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
    found: dict[str, dict[str, Any]] = model.model_json_schema()["properties"]
    return found


def branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of which a value must fit one, without the empty value."""
    return [branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]


def words_of(schema: dict[str, Any]) -> list[str]:
    """Return the words that a key may have as its value."""
    return [str(word) for branch in branches(schema) for word in branch.get("enum", [branch.get("const")]) if word]


def expectation(schema: dict[str, Any]) -> str:
    """Return what a key may have as its value: ``a whole number of at least 1 or all``."""
    kinds = [(branch, text) for branch in branches(schema) if not words_of(branch) and (text := description(branch))]
    lists = [text for branch, text in kinds if branch.get("type") == "array"]
    parts = [text for _, text in kinds if text not in lists] + words_of(schema) + lists
    return either(parts) if parts else ""


def description(schema: dict[str, Any]) -> str:
    """Return what fits a schema that is no choice of words; nothing for a mapping."""
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
    """Return what would make a near miss right; only what the key takes."""
    if not isinstance(node, Scalar):
        return ""

    def takes(text: str) -> bool:
        return accepts(root, path, value_of(text))

    types = {branch.get("type") for branch in branches(schema)}
    if isinstance(node.value, str):
        bare = node.value.replace("_", "").lstrip("0") or "0"
        if is_number(node.value) and takes(node.value):
            return "; take the quotes away"
        if node.value and is_number(bare) and takes(bare):
            return f"; write {bare}"
        if "boolean" in types and node.value.lower() in SWITCHES:
            return f"; write {SWITCHES[node.value.lower()]}"
        return odd_letters(node.value) + did_you_mean(node.value, words_of(schema))
    if isinstance(node.value, float) and node.value.is_integer() and abs(node.value) < 1e15:
        return f"; write {int(node.value)}" if takes(str(int(node.value))) else ""
    return ""


def is_number(text: str) -> bool:
    """Return whether ``text``, without quotes, would be a number."""
    return type(value_of(text)) in (int, float)
