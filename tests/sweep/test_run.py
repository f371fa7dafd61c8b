"""Whole sweeps. Each starts a process that trains the trials."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.config import load_config
from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.errors import DataError, DivergedError, UsageError
from cnntrain.parallel import available_cores
from cnntrain.runs.compare import list_runs
from cnntrain.sweep.run import run_sweep
from cnntrain.sweep.trial_result import read_result
from cnntrain.training.interrupts import Interrupts

pytestmark = pytest.mark.slow

VARIES = ("training.alpha=1e-2..1", "layers.0.conv.K=2,4")

two_cores = pytest.mark.skipif(available_cores() < 2, reason="needs two cores")


def table(folder):
    return list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))


def test_a_sweep(run, tmp_path):
    ran = run("s", "trials=4", "wave=2", plots=True)
    assert [trial.number for trial in ran.ended()] == [0, 1, 2, 3]
    rows = table(tmp_path / "s")
    assert [(row["trial"], row["wave"], row["state"]) for row in rows] == [
        ("0", "0", "complete"), ("1", "0", "complete"), ("2", "1", "complete"), ("3", "1", "complete"),
    ]  # fmt: skip
    best = min(rows, key=lambda row: float(row["value"]))
    assert ran.result["best"]["trial"] == int(best["trial"])
    for row in rows:
        folder = tmp_path / "s" / "trials" / f"000{row['trial']}"
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert float(row["value"]) == min(line["validation_loss"] for line in lines)
        config = load_config(folder / "config.yaml")
        assert (str(config.training.alpha), str(config.network.layers[0].options.K)) == (
            row["training.alpha"], row["network.layers.0.conv.K"],
        )  # fmt: skip
        assert json.loads((folder / "summary.json").read_text())["test"] is None, "the test split takes no part"
    weights = tmp_path / "s" / "trials" / f"000{best['trial']}" / "best.safetensors"
    assert ran.result["best"]["test"]["loss"] == cnntrain.evaluate(weights)["loss"]
    assert {path.name for path in (tmp_path / "s").iterdir()} == {
        "sweep.yaml", "base.yaml", "study.journal", "trials", "trials.csv", "best.yaml", "result.json", "history.png",
    }  # fmt: skip
    assert json.loads((tmp_path / "s" / "result.json").read_text()) == ran.result
    cnntrain.train(load_config(tmp_path / "s" / "best.yaml"), tmp_path / "again", plots=False)
    assert (tmp_path / "again" / "best.safetensors").read_bytes() == weights.read_bytes()
    assert all(described["problem"] is None for described in list_runs([tmp_path / "s" / "trials"])["runs"])
    again = run("s", "trials=4", "wave=2")
    assert again.ended() == []
    assert again.result == ran.result


def test_a_trial_that_diverges_has_failed_and_the_sweep_goes_on(run, tmp_path):
    ran = run("s", "method=grid", varies=("training.alpha=[0.1, 1e30, 0.2]",))
    assert [row["state"] for row in table(tmp_path / "s")] == ["complete", "failed", "complete"]
    error = table(tmp_path / "s")[1]["error"]
    assert "epoch 1" in error
    assert str(tmp_path) not in error
    assert ran.result["trials"][1]["value"] is None


@pytest.mark.slow
def test_values_that_do_not_go_together_fail_without_training(run, tmp_path):
    run("s", "method=grid", varies=("training.optimizer=sgd,adam", "training.momentum=0,0.9"))
    rows = table(tmp_path / "s")
    assert [row["state"] for row in rows] == ["complete", "complete", "complete", "failed"]
    assert rows[3]["error"].startswith("training.momentum: momentum only applies to optimizer sgd")


@pytest.mark.slow
def test_no_trial_is_complete(run):
    with pytest.raises(DivergedError, match="no trial is complete"):
        run("s", "method=grid", varies=("training.alpha=[1e30, 2e30]",))


def test_another_sweep_is_refused(run, tmp_path, base):
    run("s", "trials=1")
    with pytest.raises(UsageError, match=r"this folder holds another sweep: seed is 0 there, 1 here; .*--out"):
        run("s", "trials=1", "seed=1")
    with pytest.raises(
        UsageError, match=r"search training.alpha is .* there, not set here; training.Max is 4 there, 5 "
    ):
        run("s", "trials=1", "training.Max=5", varies=("layers.0.conv.K=2,4",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="the folder is not empty, and holds no sweep"):
        run("mine")
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]
    shutil.copytree(tmp_path / "s" / "trials" / "0000", tmp_path / "t" / "trials" / "0000")
    for name in ("sweep.yaml", "base.yaml"):
        shutil.copy(tmp_path / "s" / name, tmp_path / "t" / name)
    config = tmp_path / "t" / "trials" / "0000" / "config.yaml"
    config.write_text(config.read_text().replace("alpha: ", "alpha: 1"))
    with pytest.raises(UsageError, match=r"this run is not the trial of this sweep: its training.alpha is 1"):
        run("t", "trials=1")


@pytest.mark.slow
def test_other_data_are_refused(run, tiny):
    run("s", "trials=1")
    arrays = dict(np.load(tiny))
    np.savez(tiny, **(arrays | {"x_train": 255 - arrays["x_train"]}))
    with pytest.raises(DataError, match="these are not the data that this sweep began with: train images differ"):
        run("s", "trials=2")


def test_more_trials_than_cores_are_refused(base, tmp_path):
    cores = available_cores()
    sweep = load_sweep(base, ["training.alpha=0.1,0.2"])
    with pytest.raises(UsageError, match=f"--parallel {cores + 1} with training.workers 1 needs {cores + 1} cores"):
        list(run_sweep(sweep, tmp_path / "s", cores + 1))
    sweep = load_sweep(base, ["training.alpha=0.1,0.2", f"training.workers={cores + 1}"])
    with pytest.raises(UsageError, match=f"take at most training.workers={cores}"):
        list(run_sweep(sweep, tmp_path / "s", 1))
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
@two_cores
def test_the_result_does_not_depend_on_parallel_or_on_extensions(run):
    words = ("wave=3", "halving.first=1", "halving.factor=2")
    alone = run("a", "trials=6", *words)
    assert {row["state"] for row in table(alone.folder)} == {"complete", "stopped"}
    assert run("b", "trials=6", *words, parallel=2).files() == alone.files()
    run("c", "trials=3", *words)
    assert run("c", "trials=6", *words).files() == alone.files()
    plain = run("d", "trials=5", "wave=3")
    run("e", "trials=1", "wave=3")
    run("e", "trials=4", "wave=3")
    assert run("e", "trials=5", "wave=3").files() == plain.files()


@pytest.mark.slow
def test_halving_continues_a_trial_to_the_same_bits(run, tmp_path):
    ran = run("s", "trials=3", "wave=3", "halving.first=1", "halving.factor=3")
    complete = [row for row in table(tmp_path / "s") if row["state"] == "complete"]
    assert [row["epochs"] for row in table(tmp_path / "s")].count("1") == 2
    config = load_config(tmp_path / "s" / "trials" / f"000{complete[0]['trial']}" / "config.yaml")
    cnntrain.train(config, tmp_path / "at once", plots=False)
    for name in ("weights.safetensors", "best.safetensors"):
        halved = tmp_path / "s" / "trials" / f"000{complete[0]['trial']}" / name
        assert halved.read_bytes() == (tmp_path / "at once" / name).read_bytes()
    assert ran.result["best"]["trial"] == int(complete[0]["trial"])


@pytest.mark.slow
def test_a_signal_saves_the_trials_and_the_same_call_goes_on(run):
    whole = run("a", "trials=3")
    interrupts = Interrupts()
    sweep = load_sweep(whole.folder.parent / "tiny.yaml", [*VARIES, "trials=3"])

    def stop_in_the_first_trial():
        for event in run_sweep(sweep, whole.folder.parent / "b", 1, interrupts, plots=False):
            if type(event).__name__ == "TrialProgress":
                interrupts.signal = signal.SIGTERM

    with pytest.raises(KeyboardInterrupt) as stop:
        stop_in_the_first_trial()
    assert stop.value.args == (signal.SIGTERM,)
    assert run("b", "trials=3").files() == whole.files()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX")
def test_a_killed_sweep_goes_on_to_the_same_result(run, base, tmp_path):
    words = ("trials=6", "wave=3", "halving.first=1", "halving.factor=2", "training.Max=8")
    whole = run("a", *words)
    command = [
        sys.executable,
        "-m",
        "cnntrain",
        "sweep",
        str(base),
        "training.alpha=1e-2..1",
        "layers.0.conv.K=2,4",
        *words,
    ]
    for lines in (3, 7, 20):  # kill when the journal is so long
        journal = tmp_path / "b" / "study.journal"
        process = subprocess.Popen(
            [*command, "--out", str(tmp_path / "b")], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < lines):
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert run("b", *words).files() == whole.files()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="Linux")
def test_a_trial_whose_process_is_killed_is_resumed(run):
    def children():
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]

    whole = run("a", "trials=2")
    before, killed = set(children()), []

    sweep = load_sweep(whole.folder.parent / "tiny.yaml", [*VARIES, "trials=2"])
    warnings = []
    for event in run_sweep(sweep, whole.folder.parent / "b", plots=False):
        if type(event).__name__ == "TrialProgress" and not killed:
            killed = [pid for pid in children() if pid not in before]
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        if type(event).__name__ == "WarningIssued":
            warnings.append(event.text)
    assert len(killed) == 1
    assert all("was killed by signal 9" in text and text.endswith("it is resumed") for text in warnings)
    assert run("b", "trials=2").files() == whole.files()


@pytest.mark.slow
@two_cores
def test_two_processes_share_a_folder(run, base, tmp_path):
    words = ("trials=6", "wave=3", "training.Max=8")
    alone = run("a", *words)
    command = [
        sys.executable,
        "-m",
        "cnntrain",
        "sweep",
        str(base),
        "training.alpha=1e-2..1",
        "layers.0.conv.K=2,4",
        *words,
    ]
    processes = [
        subprocess.Popen(
            [*command, "--no-plots", "--out", str(tmp_path / "b")], stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    assert {name: (tmp_path / "b" / name).read_bytes() for name in ("trials.csv", "best.yaml")} == alone.files()


def test_the_figures_of_a_trial_are_those_of_its_best_weights(tmp_path):
    rows = [(0.5, 0.8), (0.4, 0.7), (0.6, 0.9), (0.4, 0.95)]
    lines = [
        json.dumps({"epoch": i, "validation_loss": loss, "validation_accuracy": accuracy})
        for i, (loss, accuracy) in enumerate(rows, start=1)
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n" + '{"epoch": 5, "val')
    assert read_result(tmp_path, 4).best_epoch == 2, "of equals the first, as in best.safetensors"
    assert read_result(tmp_path, 3, "accuracy").validation_accuracy == 0.9
    assert read_result(tmp_path, 5) is None
    assert read_result(tmp_path, None) is None
    (tmp_path / "summary.json").write_text('{"stop": "patience"}')
    assert read_result(tmp_path, None, "accuracy").best_epoch == 4
    assert read_result(tmp_path, 9).is_finished
    assert not read_result(tmp_path, 2).is_finished


def test_the_goal_accuracy_keeps_the_weights_with_the_best_accuracy(base):
    def best_by(*words):
        return load_sweep(base, ["training.alpha=0.1,0.2", *words]).config({"training.alpha": 0.1}).training.best_by

    assert best_by() == "loss"
    assert best_by("goal=validation.accuracy") == "accuracy"
    assert best_by("goal=validation.accuracy", "training.best_by=loss") == "loss"
