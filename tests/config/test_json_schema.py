"""The JSON Schema says what ``load_config`` says, as far as a schema can."""

import json
from pathlib import Path

import pytest
import yaml

from cnntrain.config import load_config
from cnntrain.config.json_schema import SCHEMA_FILE, json_schema, schema_text
from cnntrain.errors import ConfigError

jsonschema = pytest.importorskip("jsonschema")

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
END = "network: {input: [1, 8, 8], layers: [fc: {units: 2, activation: softmax}]}\n"


def with_layer(layer):
    return f"network: {{input: [1, 8, 8], layers: [{layer}, fc: {{units: 2, activation: softmax}}]}}"


RIGHT = [
    END,
    END + "training:\n",
    END + "training: {epochs: 3, α: 1.0e-3, ε: 0, batch_size: all}",
    END + "training: {augmentation: }",
    END + "training: {augmentation: {crop: 4, rotation: 15, brightness: 0.2}}",
    END + "data: {source: idx, path: a, validation: 0.5}",
    END + "data:",
    with_layer("conv: {K: 2, F: 3}"),
    with_layer("conv: {filters: 2, kernel: 3, padding: 1, stride: 2, activation: relu}"),
    with_layer("pool: {size: 2, type: max}"),
    with_layer("pool: {k: all, type: average}, dropout: , batch_norm: {epsilon: 1.0e-3}"),
    END + "training: {class_weights: [1, 2.5]}",
    END + "training: {class_weights: balanced, optimizer: adamw, schedule: one_cycle, warmup: }",
    "network: {input: [1, 8, 8], layers: [fc: ]}\ndata: {source: digits}",
]
WRONG = [
    "{}",
    "network: {layers: []}",
    END + "trainig: {}",
    END + "training: {epochs: 3, Max: 4}",
    END + "training: {learning_rate: 3, α: 4}",
    END + "training: {alpha: 0}",
    END + "training: {batch_size: some}",
    END + "training: {augmentation: {crop: -1}}",
    END + "training: {augmentation: {rotation: 181}}",
    END + "data: {source: idx}",
    END + "data: {source: nothing}",
    END + "data: {source: digits, path: a}",
    END + "data: {source: digits, validation: 1}",
    with_layer("conv: {K: 2}"),
    with_layer("conv: {K: 2, filters: 2, F: 3}"),
    with_layer("{conv: }"),
    with_layer("conv: {K: many, F: 3}"),
    with_layer("{conv: {K: 2, F: 3}, pool: {k: 2, type: max}}"),
    with_layer("pool: {k: 2, type: maximum}"),
    "network: {input: [1, 8], layers: [fc: {units: 2}]}",
]


def test_the_file_is_what_the_command_prints():
    """If not: cnntrain schema > cnntrain/config/schema.json."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()
    assert json.loads(schema_text()) == SCHEMA


def test_it_is_a_schema_of_draft_7_alone():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == jsonschema.Draft7Validator.META_SCHEMA["$schema"]
    known = set(jsonschema.Draft7Validator.META_SCHEMA["properties"])

    def keywords(schema):
        yield from schema
        for key, value in schema.items():
            if key in ("properties", "definitions"):
                for part in value.values():
                    yield from keywords(part)
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict) and key not in ("properties", "definitions"):
                    yield from keywords(part)
        assert "$ref" not in schema or list(schema) == ["$ref"]  # draft 7 ignores what stands beside it

    assert set(keywords(SCHEMA)) <= known


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_name_it_and_are_valid(path):
    text = path.read_text(encoding="utf-8")
    VALIDATOR.validate(yaml.safe_load(text))
    name = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / name).resolve() == SCHEMA_FILE.resolve()


@pytest.mark.parametrize("text", RIGHT)
def test_what_loads_is_valid(text, tmp_path):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    load_config(tmp_path / "a.yaml")
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", WRONG)
def test_what_no_schema_should_let_through_is_invalid(text, tmp_path):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(tmp_path / "a.yaml")
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(yaml.safe_load(text))


def test_every_key_says_what_it_means():
    mute = [
        f"{name}.{key}"
        for name, definition in SCHEMA["definitions"].items()
        for key, value in definition["properties"].items()
        if not value.get("description")
    ]
    assert mute == []
