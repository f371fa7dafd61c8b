"""A run that is asked to stop stops after the batch at hand, and saves what it has learned."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import cnntrain
from cnntrain.training.interrupts import Interrupts


@pytest.fixture
def stop_at(tiny_config, record, tmp_path):
    """Runs until a batch has ended, then asks to stop."""

    def run(epoch, batch, **options):
        interrupts = Interrupts()

        def on_batch(event):
            if (event.epoch, event.batch) == (epoch, batch):
                interrupts.signal = signal.SIGINT

        return record(tiny_config(**options), tmp_path / "run", on_batch, interrupts=interrupts)

    return run


@pytest.mark.parametrize(("epoch", "batch", "whole"), [(1, 1, 0), (1, 2, 0), (2, 1, 1), (3, 2, 2)])
def test_it_stops_after_the_batch_and_saves(stop_at, tmp_path, epoch, batch, whole):
    run = stop_at(epoch, batch)
    last = run.of("BatchEnded")[-1]
    assert (last.epoch, last.batch) == (epoch, batch)
    assert type(run.events[-1]).__name__ == "TrainingEnded"
    assert (run.result["stop"], run.result["epochs"]) == ("interrupted", whole)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == run.result
    saved = cnntrain.load(tmp_path / "run").parameters()
    for name, value in run.network.parameters().items():
        np.testing.assert_array_equal(saved[name], value)
    cnntrain.load(tmp_path / "run" / "best.safetensors")


def test_best_weights_of_a_whole_iteration_are_kept(stop_at, tmp_path):
    run = stop_at(2, 1, alpha=3.0)
    best = cnntrain.load(tmp_path / "run" / "best.safetensors").parameters()
    for name, value in run.parameters[1].items():
        np.testing.assert_array_equal(best[name], value)


def test_interrupted_run_can_be_evaluated(stop_at, tmp_path):
    stop_at(1, 1)
    assert cnntrain.evaluate(tmp_path / "run")["samples"] == 12


def test_scores_are_not_made_up(stop_at):
    result = stop_at(1, 1).result
    assert (result["train"], result["validation"], result["test"]) == (None, None, None)


@pytest.fixture
def stopped_api(tiny_config, monkeypatch, tmp_path):
    """``cnntrain.train`` in a program of one's own, to which a signal comes in the first batch."""
    from cnntrain.network.network import Network

    forward_backward = Network.forward_backward

    def train(number):
        def step_and_be_stopped(self, *arguments, **options):
            os.kill(os.getpid(), number)
            monkeypatch.setattr(Network, "forward_backward", forward_backward)
            return forward_backward(self, *arguments, **options)

        monkeypatch.setattr(Network, "forward_backward", step_and_be_stopped)
        return cnntrain.train(tiny_config(), tmp_path / "run", plots=False)

    return train


def check_saved(folder):
    assert json.loads((folder / "summary.json").read_text())["stop"] == "interrupted"
    assert (folder / "weights.safetensors").exists()


def test_ctrl_c_saves_the_run_and_then_ends_the_program_that_trains(stopped_api, tmp_path, capfd):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stopped_api(signal.SIGINT)
    check_saved(tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is before
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_program_may_have_an_answer_of_its_own_to_a_signal(stopped_api, tmp_path, name):
    number, heard = getattr(signal, name, signal.SIGTERM), []
    before = signal.signal(number, lambda number, _frame: heard.append(number))
    try:
        assert stopped_api(number)["stop"] == "interrupted"
    finally:
        signal.signal(number, before)
    check_saved(tmp_path / "run")
    assert heard == [number]


def test_a_program_that_ignores_ctrl_c_still_hears_of_it(stopped_api, tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            stopped_api(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    check_saved(tmp_path / "run")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_sigterm_saves_the_run_and_then_ends_the_program_that_trains(tiny, tmp_path):
    program = f"""
import os, signal, cnntrain
from cnntrain.config import config_from_dict
from cnntrain.network.network import Network
forward_backward = Network.forward_backward
def step_and_be_stopped(self, *arguments, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    Network.forward_backward = forward_backward
    return forward_backward(self, *arguments, **options)
Network.forward_backward = step_and_be_stopped
layers = [{{"fc": {{"activation": "softmax"}}}}]
data = {{"source": "npz", "path": {str(tiny)!r}}}
cnntrain.train(config_from_dict({{"data": data, "network": {{"layers": layers}}}}, "a test"), "run")
print("not reached")
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (shown.returncode, shown.stdout) == (-signal.SIGTERM, "")
    check_saved(tmp_path / "run")
