import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.cli.views.sweep_text import best_table, short_names

pytestmark = pytest.mark.slow

WORDS = ["training.alpha=1e-2..1", "trials=2", "training.workers=1"]
FIRST = ["training.alpha=[0.1, 0.2]", "method=grid"]


def call(*words):
    return CliRunner().invoke(app, ["sweep", *map(str, words)])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_sweep_prints_a_line_a_trial_and_the_best(digits_file):
    shown = call(digits_file, *WORDS, "--no-plots")
    assert shown.exit_code == 0, shown.stderr
    lines = shown.stderr.splitlines()
    assert "varies   training.alpha  0.01 to 1, log scale" in lines
    assert [line.split()[:2] for line in lines if re.match(r" *\d/2 ", line)] == [["1/2", "0"], ["2/2", "1"]]
    assert "2 trials: 2 complete" in shown.stdout
    assert "samples that took no part in the search" in shown.stdout
    assert "next: cnntrain eval sweeps/digits/trials/000" in shown.stdout
    again = call(digits_file, *WORDS, "--no-plots", "--json")
    result = json.loads(again.stdout)
    assert len(result["trials"]) == 2
    assert result["best"]["config"] == os.path.join("sweeps", "digits", "best.yaml")
    more = call("sweeps/digits", "trials=1", "--no-plots")
    assert "note: this sweep has 2 trials by now, so trials=1 adds none" in more.stderr
    assert "resuming: 2 of 2 trials are done" in more.stderr
    refused = call(digits_file, *WORDS, "seed=1")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: sweeps/digits: this folder holds another sweep: seed is 0 there, 1 here;")


def test_a_dry_run_shows_the_first_trials_and_writes_nothing(digits_file, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    shown = call(
        digits_file, "training.alpha=0.1,0.2", "layers.0.conv.K=2..8..2", "method=grid", "halving.first=1", "--dry-run"
    )
    assert shown.exit_code == 0, shown.stderr
    assert "search   grid, 8 trials: all combinations, in waves of 6, seed 0" in shown.stdout
    assert "halving  one in 3 of a wave continues after epochs 1" in shown.stdout
    assert "5  0.2    4" in shown.stdout
    assert max(map(cell_len, shown.stdout.splitlines())) <= 120
    result = json.loads(call(digits_file, "training.alpha=0.1,0.2", "--dry-run", "--json").stdout)
    page = (os.path.dirname(__file__), "..", "..", "docs", "commands.md")
    with open(os.path.join(*page), encoding="utf-8") as file:
        (row,) = re.findall(r"^\| `sweep --dry-run` \| (.*) \|$", file.read(), re.MULTILINE)
    assert set(result) == set(re.findall(r"`(\w+)`", row))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["digits"], 2, "error: digits: nothing varies; give a key several values"),
        (["nowhere.yaml", "training.alpha=1,2"], 2, "error: nowhere.yaml: there is no such file"),
        (["digits", "training.alpha=1,2", "--parallel", "0"], 2, "at least 1"),
        (["digits", "training.alpha=1,2", "--parallel", "999"], 2, "error: --parallel 999 needs 999 cores"),
        (["digits", "training.alpha=1,2", "bogus"], 2, "expected KEY=VALUE"),
        (["digits", "training.alpha=1,2", "--out", "file/x"], 2, "because this is a file"),
    ],
)
def test_a_mistake_is_a_sentence_with_a_status(words, status, sentence, tmp_path):
    (tmp_path / "file").write_text("")
    shown = call(*words)
    assert (shown.exit_code, shown.stdout) == (status, "")
    assert sentence in shown.stderr
    assert "Traceback" not in shown.stderr
    assert not (tmp_path / "sweeps").exists()


def test_without_optuna_a_sentence_says_how_to_install_it(digits_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    shown = call(digits_file, *WORDS)
    assert shown.exit_code == 2
    assert 'install it with: pip install "cnntrain[sweep]"' in shown.stderr


def test_names_are_short_where_they_are_unique():
    keys = ["training.alpha", "network.layers.0.conv.K", "network.layers.2.conv.K", "training.l2"]
    assert list(short_names(keys).values()) == ["alpha", "0.conv.K", "2.conv.K", "l2"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_saves_and_says_how_to_go_on(digits_file, tmp_path):
    words = [*WORDS, "training.Max=200", "--out", "my sweep"]
    command = [sys.executable, "-m", "cnntrain", "sweep", str(digits_file), *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(tmp_path.glob("my sweep/trials/0000/metrics.jsonl")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=100)
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-2:] == [
        "stopped", f"to resume: cnntrain sweep {digits_file} training.alpha=1e-2..1 trials=2 training.workers=1 "
        "training.Max=200 --out 'my sweep'",
    ]  # fmt: skip
    assert json.loads((tmp_path / "my sweep/trials/0000/summary.json").read_text())["stop"] == "interrupted"


@pytest.mark.parametrize("width", [80, 120, 60])
def test_the_table_of_the_best_fits_any_width(width):
    keys = [f"training.augmentation.key_{i}" for i in range(9)]
    sweep = SimpleNamespace(dimensions=[SimpleNamespace(key=key) for key in keys])
    trial = {"trial": 7, "state": "complete", "value": 0.5, "validation_loss": 0.5, "validation_accuracy": 0.9}
    trial |= {"best_epoch": 10, "epochs": 20, "values": dict.fromkeys(keys, 0.123456789)}
    result = {"goal": {"minimize": "validation.loss"}, "trials": [trial], "importance": {keys[8]: 1.0}}
    table, left_out = best_table(result, sweep, width)
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert len(lines) == 2
    assert max(map(cell_len, lines)) <= width
    assert "key_8" in lines[0], "the most important key comes first"
    assert len(left_out) + lines[0].count("key_") == 9
