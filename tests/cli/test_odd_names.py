"""Names are anybody's: none of them moves the cursor, rings, turns the line around or adds one, in any command."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.views.console import CommandConsole

ODD = "a\x1b[31m\x07\nB\u202ec\x9b1m"
SHOWN = r"a\x1b[31m\x07\nB\u202ec\x9b1m"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a config, a run and images of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{ODD}.yaml").write_text(
        "data: {source: digits}\nnetwork: {layers: [pool: {k: 4, type: max}, fc: {activation: softmax}]}\n"
        "training: {Max: 1, workers: 1, batch_size: 500}\n"
    )
    for split, kind in [(split, kind) for split in ("train", "test") for kind in ("cat", "other")]:
        (tmp_path / "pics" / ODD / split / kind).mkdir(parents=True)
        pixels = np.full((9, 9, 3), 100, np.uint8)
        for number in range(3):
            Image.fromarray(pixels + number).save(tmp_path / "pics" / ODD / split / kind / f"{number}{ODD}.png")
    return tmp_path


def said(*words, status=None):
    """What a command says, on both streams; no character of it acts on a terminal."""
    shown = CliRunner().invoke(app, list(words))
    assert shown.exception is None or isinstance(shown.exception, SystemExit), shown.exception
    text = shown.stdout + shown.stderr
    assert all(line.isprintable() for line in text.split("\n")), text
    assert not any(line.startswith("B") for line in text.split("\n"))
    assert status is None or shown.exit_code == status, text
    return text


@pytest.mark.slow
def test_commands_with_a_config(folder):
    config = f"{ODD}.yaml"
    text = said("train", config, "--progress", "plain", "--no-plots", status=0)
    assert text.count(SHOWN) == 2
    assert r"next: cnntrain eval $'runs/a\x1b[31m\x07\x0aB" in text
    assert SHOWN in said("train", config, "--out", f"runs/{ODD}/x", status=0)
    said("train", config, "--dry-run", status=0)
    said("summary", config, status=0)
    said("gradcheck", config, "--samples", "1", status=0)
    said("bench", config, "--batches", "1", status=0)
    run = f"runs/{ODD}"
    for words in (["eval", run], ["resume", run, "training.Max=2"], ["runs"], ["runs", run, f"{run}/x"]):
        assert SHOWN in said(*words, status=0) or words[0] == "eval"
    said("replay", run, status=2)
    said("predict", run, f"{ODD}.png", status=4)


def test_commands_with_pictures(folder):
    data = f"pics/{ODD}"
    assert SHOWN in said("data", "info", data, status=0)
    assert SHOWN in said("init", data, "--out", f"{ODD}-2.yaml", status=0)
    assert "cat" in said(
        "train", f"{ODD}-2.yaml", "training.Max=1", "training.workers=1", "--progress", "plain", status=0
    )


@pytest.mark.parametrize(
    "words",
    [
        [ODD],
        ["train", ODD],
        ["train", "--" + ODD],
        ["train", "--" + ODD, "--json"],
        ["train", "a.yaml", "--progress", ODD],
        ["train", "--workers", ODD, f"{ODD}.yaml"],
        ["train", f"{ODD}.yaml", ODD],
        ["train", f"{ODD}.yaml", f"training.{ODD}=1"],
        ["train", f"{ODD}.yaml", f"{ODD}=1"],
        ["train", f"{ODD}.yaml", f"training.alpha={ODD}"],
        ["train", f"{ODD}.yaml", f"training.optimizer={ODD}"],
        ["train", f"{ODD}.yaml", "data.source=npz", f"data.path={ODD}"],
        ["train", f"{ODD}.yaml", "--out", f"{ODD}.yaml"],
        ["resume", ODD],
        ["replay", ODD],
        ["eval", ODD],
        ["eval", ODD, "--split", ODD],
        ["runs", ODD],
        ["predict", ODD, ODD],
        ["export", ODD, "--onnx", ODD],
        ["gradcheck", ODD],
        ["gradcheck", f"{ODD}.yaml", "--samples", ODD],
        ["gradcheck", f"{ODD}.yaml", "--inject", ODD],
        ["gradcheck", f"{ODD}.yaml", "--inject", f"layers.1.W:{ODD}"],
        ["summary", ODD],
        ["bench", ODD, "--batches", ODD],
        ["init", ODD],
        ["init", f"pics/{ODD}", "--out", f"{ODD}/{ODD}"],
        ["schema", ODD],
        ["data", ODD],
        ["data", "info", ODD],
        ["data", "fetch", ODD],
        ["data", "fetch", "mnist", "--mirror", ODD],
        ["data", "info", f"pics/{ODD}", "--sheet", ODD],
    ],
)
def test_words_of_the_command_line(folder, words):
    said(*words)


def test_what_files_say(folder):
    run = folder / "x" / "a"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text("")
    (run / "environment.json").write_text(json.dumps({"started": ODD}))
    (run / "summary.json").write_text(json.dumps({"stop": ODD}))
    said("runs", "x", status=0)
    (folder / "c.yaml").write_text(json.dumps({ODD: 1, "network": {ODD: ODD, "layers": [{ODD: ODD}]}, "training": ODD}))
    said("train", "c.yaml", status=2)


def test_the_console_shows_no_text_that_acts(capsys):
    import sys

    from rich.table import Table
    from rich.text import Text

    console = CommandConsole(sys.stdout)
    table = Table(title=ODD)
    table.add_column(ODD)
    table.add_row(ODD)
    table.add_row(Text(ODD))
    for shown in (ODD, Text(ODD), table):
        console.print(shown, soft_wrap=True)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.splitlines()[0] == SHOWN


@pytest.mark.parametrize("words", [["eval"], ["predict"], ["data", "info"], ["init"], ["train"], ["runs"], ["export"]])
def test_a_line_break_in_a_path_is_shown_in_one_line(folder, words):
    options = ["--onnx", "x.onnx"] if words == ["export"] else ["x.png"] if words == ["predict"] else []
    text = said(*words, f"no\nwhere{ODD}/x", *options)
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert r"no\nwhere" in errors[0]
