import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnntrain.cli.app import app
from cnntrain.training.events import TrainingEnded


@pytest.fixture
def train(digits_file, tmp_path, monkeypatch):
    """Runs the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["train", str(digits_file), "--no-plots", *words])


def test_trains_and_says_how_good_where_and_what_next(train):
    shown = train()
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("stopped after 2 epochs in ")
    assert lines[1].startswith("test accuracy ")
    assert lines[1].endswith(", on 360 samples")
    assert lines[-3:] == ["run in runs/digits", "next: cnntrain eval runs/digits", lines[1]]


def test_off_a_terminal_progress_is_plain_lines_on_stderr(train):
    shown = train()
    assert "digits: 1,293 train, 144 validation, 360 test samples of 10 classes" in shown.stderr
    assert [line.split()[0] for line in shown.stderr.splitlines()[-3:-1]] == ["1/2", "2/2"]
    assert "\x1b" not in shown.output


def test_no_progress_leaves_the_result(train):
    shown = train("--progress", "none")
    assert shown.stderr == ""
    assert shown.stdout.startswith("stopped after 2 epochs in ")


def test_overrides_and_options_mix(train, tmp_path):
    shown = train("training.Max=1", "--json", "network.layers.0.conv.K=3", "-o", "here")
    result = json.loads(shown.stdout)
    assert (result["epochs"], result["stop"], result["run"]) == (1, "max", "here")
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [
        "best.safetensors",
        "checkpoint.previous.safetensors",
        "checkpoint.safetensors",
        "config.original.yaml",
        "config.yaml",
        "environment.json",
        "metrics.csv",
        "metrics.jsonl",
        "samples.npz",
        "summary.json",
        "weights.safetensors",
    ]


def test_a_run_is_never_overwritten(train):
    assert [json.loads(train("--json").stdout)["run"] for _ in range(2)] == ["runs/digits", "runs/digits-2"]
    shown = train("--out", "runs/digits")
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: runs/digits")


def test_a_folder_that_cannot_be_made_is_a_sentence(train, tmp_path):
    (tmp_path / "file").touch()
    shown = train("--out", "file/run")
    assert shown.exit_code == 2
    assert shown.stderr.startswith("error: ")
    assert len(shown.stderr.splitlines()) == 1


def test_a_wrong_config_is_told_line_by_line(train):
    shown = train("training.alpa=1", "network.layers.0.conv.K=many")
    assert shown.exit_code == 2
    assert shown.stdout == ""
    lines = shown.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: ") for line in lines)


def test_missing_data_are_status_4(train):
    shown = train("data={source: idx, path: nowhere}", "network.input=[1, 28, 28]")
    assert shown.exit_code == 4
    assert shown.stderr.startswith("error: ")


def test_a_loss_that_is_not_finite_is_status_6_with_a_result(train):
    shown = train("training.alpha=1e30", "--json", "--progress", "none")
    assert shown.exit_code == 6
    result = json.loads(shown.stdout)
    assert (result["stop"], result["test"]) == ("diverged", None)
    assert shown.stderr.startswith("error: epoch 1, batch ")
    assert len(shown.stderr.splitlines()) == 1


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_stops_after_the_batch_and_saves(name, status, digits_file, tmp_path):
    words = ["train", str(digits_file), "training.Max=1000000", "--out", "run", "--json", "--no-plots"]
    command = [sys.executable, "-m", "cnntrain", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.split()[:1] == ["1/1000000"]:
                break
        process.send_signal(getattr(signal, name))
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == status
    assert "stopping after this batch; press Ctrl-C again to stop at once" in stderr
    result = json.loads(stdout)
    assert (result["stop"], result["run"]) == ("interrupted", "run")
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == result
    assert CliRunner().invoke(app, ["eval", str(tmp_path / "run")]).exit_code == 0


def test_a_second_signal_stops_at_once(train, monkeypatch):
    def fit(*_: object):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        yield TrainingEnded({})

    monkeypatch.setattr("cnntrain.training.fit.fit", fit)
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell has put the tests into the background
    shown = train("--progress", "none")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (143, "", "stopped\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_signal_names_the_command_that_resumes(train, monkeypatch, started):
    def fit(*_: object):
        yield started(run=Path("runs/my digits"))
        raise KeyboardInterrupt(signal.SIGINT)

    monkeypatch.setattr("cnntrain.training.fit.fit", fit)
    shown = train("--progress", "none")
    assert (shown.exit_code, shown.stderr) == (130, "stopped\nnext: cnntrain resume 'runs/my digits'\n")


def test_stdout_holds_json_alone(digits_file, tmp_path):
    words = ["train", str(digits_file), "training.Max=1", "--json", "--progress", "rich", "--no-plots"]
    command = [sys.executable, "-m", "cnntrain", *words]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(shown.stdout)["epochs"] == 1
    assert shown.stdout.count("\n") == 1
    assert "\x1b[?25l" in shown.stderr, "the bar is on stderr"


def test_a_limit_of_threads_is_said(digits_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shown = CliRunner().invoke(app, ["train", str(digits_file), "--progress", "plain", "--no-plots"])
    assert "device   CPU, 1 core (OMP_NUM_THREADS), 1 worker, float32" in shown.stderr


@pytest.mark.parametrize("resumed", [False, True])
def test_plots_can_be_left_out(digits_file, tmp_path, monkeypatch, resumed):
    monkeypatch.chdir(tmp_path)
    words = ["train", str(digits_file), "--no-plots", "--progress", "none"]
    assert CliRunner().invoke(app, words).exit_code == 0
    if resumed:
        words = ["resume", "runs/digits", "training.Max=3", "--no-plots"]
        assert CliRunner().invoke(app, words).exit_code == 0
    assert not list((tmp_path / "runs/digits").glob("*.png"))
    assert (tmp_path / "runs/digits/metrics.csv").exists()


def test_the_config_is_kept_as_it_was_written(digits_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "# mine: ä 日本\r\n" + digits_file.read_text() + "# the end, without a line break"
    digits_file.write_bytes(text.encode())
    words = ["train", str(digits_file), "training.Max=1", "training.alpha= 0.1 # ä", "--progress", "none"]
    assert CliRunner().invoke(app, words).exit_code == 0
    kept = tmp_path / "runs/digits/config.original.yaml"
    told = f"{text}\n# overrides: training.Max=1 'training.alpha= 0.1 # ä'\n"
    assert kept.read_bytes().decode() == told
    assert CliRunner().invoke(app, ["resume", "runs/digits", "training.Max=2"]).exit_code == 0
    assert kept.read_bytes().decode() == told
    assert CliRunner().invoke(app, ["train", str(digits_file), "--progress", "none"]).exit_code == 0
    assert (tmp_path / "runs/digits-2/config.original.yaml").read_bytes().decode() == text


def test_a_config_from_no_file_leaves_none(tiny_config, tmp_path):
    import cnntrain

    cnntrain.train(tiny_config(Max=1), tmp_path / "run", plots=False)
    assert not (tmp_path / "run" / "config.original.yaml").exists()
