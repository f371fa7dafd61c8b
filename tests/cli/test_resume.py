"""``cnntrain resume``, as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app


@pytest.fixture
def command(digits_file, tmp_path, monkeypatch):
    """Runs a command in an empty folder, without plots."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
    runner = CliRunner()

    def run(*words):
        return runner.invoke(app, list(words))

    assert run("train", str(digits_file), "--out", "run", "--progress", "none").exit_code == 0
    return run


def weights(folder="run"):
    return Path(folder, "weights.safetensors").read_bytes()


def test_a_finished_run_is_extended(command, digits_file):
    command("train", str(digits_file), "--out", "long", "training.Max=3")
    shown = command("resume", "run", "training.Max=3", "--json")
    assert shown.exit_code == 0, shown.stderr
    result = json.loads(shown.stdout)
    assert (result["epochs"], result["stop"], result["run"]) == (3, "max", "run")
    assert "run, resuming after epoch 2" in shown.stderr
    assert "3/3" in shown.stderr
    assert weights() == weights("long")


def test_verified_is_told(command):
    shown = command("resume", "run", "--verify", "--workers", "1")
    assert shown.exit_code == 0, shown.stderr
    assert "repeated, and gave the same bits" in shown.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["resume", "nowhere"], 2, "nowhere: no such run folder"),
        (["resume", "run", "training.alpha=1"], 2, "run: training.alpha is 0.1 in this run and cannot become 1.0"),
        (["train", "--resume", "run"], 2, "no such option: --resume; use the command: cnntrain resume RUN"),
        (["train"], 2, "missing argument CONFIG: a YAML file, or the name of a bundled config such as digits"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(command, words, code, told):
    shown = command(*words)
    assert shown.exit_code == code
    errors = [line for line in shown.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert told in errors[0]
    assert shown.stdout == ""


def test_damaged_checkpoints_are_told(command):
    for path in Path("run").glob("checkpoint*"):
        path.write_bytes(path.read_bytes()[:-3])
    shown = command("resume", "run")
    assert shown.exit_code == 5
    assert shown.stderr.count("error: ") == 2
    assert "not a whole safetensors file" in shown.stderr


def test_a_checkpoint_is_a_weights_file_too(command):
    shown, other = (
        command("eval", f"run/{name}", "--json") for name in ("checkpoint.safetensors", "weights.safetensors")
    )
    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout)["loss"] == json.loads(other.stdout)["loss"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_a_stopped_command_says_how_to_go_on_and_does(command, digits_file, tmp_path):
    words = [sys.executable, "-m", "cnntrain", "train", str(digits_file), "--out", "stopped", "training.Max=100000"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 30
        while not Path("stopped/metrics.jsonl").exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        result, messages = process.communicate(timeout=30)
    assert process.returncode == 143, messages
    assert "next: cnntrain resume stopped" in result
    done = json.loads(Path("stopped/summary.json").read_text())["epochs"]
    assert command("resume", "stopped", f"training.Max={done + 1}").exit_code == 0
    assert command("train", str(digits_file), "--out", "whole", f"training.Max={done + 1}").exit_code == 0
    assert weights("stopped") == weights("whole")
