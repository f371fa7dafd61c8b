"""A run that is asked to stop stops after the batch at hand, and saves what it has learned."""

import json
import os
import signal

import numpy as np
import pytest

import cnntrain
from cnntrain.training.interrupts import Interrupts


@pytest.fixture
def stop_at(tiny_config, record, tmp_path):
    """Runs until a batch has ended, then asks to stop."""

    def run(iteration, batch, **options):
        interrupts = Interrupts()

        def on_batch(event):
            if (event.iteration, event.batch) == (iteration, batch):
                interrupts.signal = signal.SIGINT

        return record(tiny_config(**options), tmp_path / "run", on_batch, interrupts=interrupts)

    return run


@pytest.mark.parametrize(("iteration", "batch", "whole"), [(1, 1, 0), (1, 2, 0), (2, 1, 1), (3, 2, 2)])
def test_it_stops_after_the_batch_and_saves(stop_at, tmp_path, iteration, batch, whole):
    run = stop_at(iteration, batch)
    last = run.of("BatchEnded")[-1]
    assert (last.iteration, last.batch) == (iteration, batch)
    assert type(run.events[-1]).__name__ == "Finished"
    assert (run.result["stop"], run.result["iterations"]) == ("interrupted", whole)
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_python_api_takes_a_signal(tiny_config, monkeypatch, tmp_path, capfd, number):
    """``cnntrain.train`` in a program of one's own: Ctrl-C ends the training, not the program."""
    from cnntrain.network import Network

    learn_slice = Network.learn_slice

    def learn_and_be_stopped(self, *arguments, **options):
        os.kill(os.getpid(), number)
        monkeypatch.setattr(Network, "learn_slice", learn_slice)
        return learn_slice(self, *arguments, **options)

    monkeypatch.setattr(Network, "learn_slice", learn_and_be_stopped)
    result = cnntrain.train(tiny_config(), tmp_path / "run")
    assert result["stop"] == "interrupted"
    assert (tmp_path / "run" / "weights.safetensors").exists()
    assert capfd.readouterr().out == ""
