"""How data were read is reported wherever a user first meets them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.views.tables import choice_lines
from cnntrain.data import SOURCES, digits

LONG = "header: " + "a long name, " * 20 + "and an end\x1b[2J"


@pytest.fixture(autouse=True)
def chosen(monkeypatch, tmp_path):
    splits = digits.load()._replace(choices=("labels: column 64, 'digit'", LONG))
    monkeypatch.setitem(SOURCES, "digits", lambda: splits)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def run(*words):
    shown = CliRunner().invoke(app, list(map(str, words)))
    assert shown.exit_code == 0, shown.stderr
    return shown


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data", "info", "digits"], "labels     column 64, 'digit'"),
        (["init", "digits"], "labels: column 64, 'digit'"),
        (["train", "--dry-run", "FILE"], "labels   column 64, 'digit'"),
    ],
)
def test_commands_that_look_at_data_report_it(words, line, digits_file):
    lines = run(*(digits_file if word == "FILE" else word for word in words)).stdout.splitlines()
    assert line in lines
    assert any(line.endswith(r"end\x1b[2J") for line in lines)
    assert max(map(len, (line for line in lines if "name" in line or "labels" in line))) <= 80


def test_training_and_resuming_begin_with_it(digits_file):
    one = "training.workers=1"
    assert (
        "labels   column 64, 'digit'\n"
        in run("train", digits_file, one, "training.Max=1", "--out", "run", "--no-plots").stderr
    )
    assert "labels   column 64, 'digit'\n" in run("resume", "run", "training.Max=2").stderr


def test_json_has_it(digits_file):
    for words in (
        ["data", "info", "digits"],
        ["init", "digits", "--out", "b.yaml"],
        ["train", "--dry-run", digits_file],
    ):
        assert json.loads(run(*words, "--json").stdout)["choices"] == ["labels: column 64, 'digit'", LONG]


def test_init_writes_it_above_the_config():
    run("init", "digits")
    comments = [line for line in Path("digits.yaml").read_text().splitlines() if line.startswith("#")]
    assert "# labels: column 64, 'digit'" in comments
    assert comments[-1].endswith(r"an end\x1b[2J")


def test_a_line_without_a_subject_stays_as_it_is():
    assert choice_lines(["all of it"], 9) == ["all of it"]
