"""docs/commands.md names the keys that ``--json`` prints."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app

PAGE = (Path(__file__).parent.parent / "docs" / "commands.md").read_text(encoding="utf-8")
KEYS = {
    command: set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row)))
    for commands, row in re.findall(r"^\| (`[^|]*`) \| (`.*) \|$", PAGE.partition("## JSON output")[2], re.MULTILINE)
    for command in re.findall(r"`([^`]+)`", commands)
}


@pytest.mark.slow
def test_every_command_prints_the_keys_that_are_documented(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        "train digits training.Max=1 training.workers=1 --no-plots",
        "resume runs/digits training.Max=2 --no-plots",
        "train digits training.workers=1 --dry-run",
        "sweep digits training.alpha=[0.1] training.Max=1 training.workers=1 trials=1 --no-plots",
        "sweep digits training.alpha=0.1,0.2 training.workers=1 --dry-run",
        "eval runs/digits",
        "runs",
        "summary digits",
        "gradcheck digits --samples 1",
        "bench digits training.workers=1 --batches 1",
        "data info digits",
        "data list",
        "explain digits",
        "explain digits --layer 0",
        "explain --examples",
        "init digits",
    ):
        shown = CliRunner().invoke(app, [*words.split(), "--json"])
        assert shown.exit_code == 0, shown.stderr
        command = max((name for name in KEYS if set(name.split()) <= set(words.split())), key=len)
        assert set(json.loads(shown.stdout)) == KEYS[command], words


@pytest.mark.parametrize("words", ["train nowhere.yaml", "bogus", "eval nowhere", "train a.yaml --lr 1"])
def test_errors_are_as_documented(words):
    shown = CliRunner().invoke(app, [*words.split(), "--json"])
    assert set(json.loads(shown.stdout)["error"]) == {"kind", "message", "exit"}
