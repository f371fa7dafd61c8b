"""``cnntrain schema``."""

import json

from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.config.json_schema import SCHEMA_FILE


def test_it_prints_the_schema_file():
    result = CliRunner().invoke(app, ["schema"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == SCHEMA_FILE.read_text(encoding="utf-8")


def test_json_is_the_same_on_one_line():
    result = CliRunner().invoke(app, ["schema", "--json"])
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == json.loads(CliRunner().invoke(app, ["schema"]).stdout)
