"""``cnntrain schema``."""

import json
from contextlib import nullcontext

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.config.json_schema import SCHEMA_FILE
from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.errors import ConfigError


def test_it_prints_the_schema_file():
    result = CliRunner().invoke(app, ["schema"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == SCHEMA_FILE.read_text(encoding="utf-8")


def test_json_is_the_same_on_one_line():
    result = CliRunner().invoke(app, ["schema", "--json"])
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == json.loads(CliRunner().invoke(app, ["schema"]).stdout)


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        (
            "base: digits\nsearch: {training.alpha: {from: 0.1, to: 0.2, scale: log}, training.batch_size: [16, all]}",
            True,
        ),
        ("base: digits\nsearch: {training.alpha: [0.1]}\ngoal: validation.accuracy\nhalving: false\ntrials: 3", True),
        ("base: digits\nsearch: {training.alpha: [0.1]}\ngoal: {minimize: validation.loss}\nhalving: {first: 2}", True),
        ("base: digits", False),
        ("base: digits\nsearch: {training.alpha: 0.1}", False),
        ("base: digits\nsearch: {training.alpha: {from: 1}}", False),
        ("base: digits\nsearch: {training.alpha: [0.1]}\ngoal: test.loss", False),
        ("base: digits\nsearch: {training.alpha: [0.1]}\nhalving: true", False),
        ("base: digits\nsearch: {training.alpha: [0.1]}\ntrails: 3", False),
    ],
)
def test_the_schema_of_sweep_files_says_what_the_reader_says(text, is_right, tmp_path):
    schema = json.loads(CliRunner().invoke(app, ["schema", "--sweep"]).stdout)
    assert schema == json.loads(CliRunner().invoke(app, ["schema", "--sweep", "--json"]).stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    assert jsonschema.Draft7Validator(schema).is_valid(yaml.safe_load(text)) == is_right
    (tmp_path / "s.yaml").write_text(text)
    with nullcontext() if is_right else pytest.raises(ConfigError):
        load_sweep(tmp_path / "s.yaml")
