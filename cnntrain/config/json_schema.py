"""The JSON Schema of a config, which lets editors complete and check one.

Pydantic generates the schema of each key. This module adds what ``load_config`` accepts, too: the long names of keys,
and empty sections. What no schema can express, such as whether a layer fits the image, is left to ``load_config``. The
result is draft 7 of JSON Schema, which editors' YAML servers know.
"""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from cnntrain.config.schema.config import Config
from cnntrain.config.schema.entries import OPTIONS
from cnntrain.config.schema.options import Options
from cnntrain.config.schema.sweep import METRICS, RangeOptions, SweepOptions

SCHEMA_FILE = Path(__file__).with_name("schema.json")
"""The result of ``json_schema`` as a file."""
NOTHING = {"type": "null"}
"""A key without a value: all defaults."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a config."""
    schema = Config.model_json_schema(schema_generator=WithLongNames)
    definitions = schema.pop("$defs")
    for holder, section in ((schema, "training"), (definitions["TrainingOptions"], "augmentation")):
        of_section = holder["properties"][section]
        of_section["anyOf"] = [{"$ref": of_section.pop("$ref")}, NOTHING]
    for kind, entry in definitions["LayerEntry"]["properties"].items():
        if any(field.is_required() for field in OPTIONS[kind].model_fields.values()):
            entry["anyOf"].remove(NOTHING)
    schema["description"] = "Where the images come from, the layers, and the settings of training."
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cnntrain config",
        **plain(schema),
        "definitions": {name: plain(definition) for name, definition in sorted(definitions.items())},
    }


class WithLongNames(GenerateJsonSchema):
    """Adds each long name as a key; only one of the names of a key may be given."""

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        """Return the schema of one mapping."""
        result = super().model_schema(schema)
        kind = schema["cls"]
        if not issubclass(kind, Options) or not kind.long_names:
            return result
        names: dict[str, list[str]] = {}
        for long, short in kind.long_names.items():
            names.setdefault(short, [short]).append(long)
            meaning = result["properties"][short].get("description", "")
            result["properties"][long] = result["properties"][short] | {"description": f"{meaning} (same as {short})"}
        needed = [short for short in names if short in result.get("required", ())]
        result["required"] = [name for name in result.get("required", ()) if name not in names]
        one_of_each = [{"anyOf": [{"required": [name]} for name in names[short]]} for short in needed]
        doubled = [{"required": list(pair)} for same in names.values() for pair in combinations(same, 2)]
        return result | {"allOf": [*one_of_each, {"not": {"anyOf": doubled}}]}


def plain(schema: Any) -> Any:
    """Return a schema without what is not in draft 7 or does not help to write a config."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "properties":
                result[key] = {name: plain(of_key) for name, of_key in value.items()}
            case "$ref":
                result["allOf"] = [{"$ref": value.replace("#/$defs/", "#/definitions/")}]
            case "prefixItems":  # [C, H, W], each of them the same
                result["items"] = plain(value[0])
            case "title" | "discriminator" | "format":
                continue
            case "default" if value is None or isinstance(value, dict):
                continue  # an editor would insert all of it
            case "required" if not value:
                continue
            case "description":
                result[key] = " ".join(value.replace("``", "`").split())
            case _:
                result[key] = plain(value)
    if list(result) == ["allOf"] and len(result["allOf"]) == 1:
        return result["allOf"][0]
    return result


def sweep_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a sweep file."""
    schema = SweepOptions.model_json_schema()
    definitions = schema.pop("$defs")
    schema["description"] = "A base config, what varies, and how it is searched."
    values = {"type": "array", "minItems": 1, "description": "a list of values"}
    schema["properties"]["search"]["additionalProperties"] = {"anyOf": [values, {"$ref": "#/$defs/RangeOptions"}]}
    schema["properties"]["goal"] = {
        "description": schema["properties"]["goal"]["description"],
        "anyOf": [{"enum": list(METRICS.values())}, {"$ref": "#/$defs/GoalOptions"}],
    }
    definitions["RangeOptions"] = RangeOptions.model_json_schema()
    definitions["GoalOptions"] |= {"minProperties": 1, "maxProperties": 1}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cnntrain sweep",
        **plain(schema),
        "definitions": {name: plain(definition) for name, definition in sorted(definitions.items())},
    }


def schema_text() -> str:
    """Return the JSON Schema as text: the output of ``cnntrain schema`` and the content of ``SCHEMA_FILE``."""
    return json.dumps(json_schema(), indent=2) + "\n"
