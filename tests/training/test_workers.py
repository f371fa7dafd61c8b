"""Runs with worker processes: how many there are, and what is left of a run that loses one."""

import gc
import json
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import build_for, load_config_data
from cnntrain.errors import DivergedError, WorkerError
from cnntrain.parallel import cores
from cnntrain.training import workers
from cnntrain.training.fit import fit
from cnntrain.training.sharing import max_processes
from cnntrain.training.workers import number_of_workers

FAILING = '''
"""A worker whose 4th micro-batch fails."""
from cnntrain.network.network import Network
from cnntrain.training import worker

forward_backward, calls = Network.forward_backward, []

def fail(*arguments):
    calls.append(1)
    if len(calls) == 4:
        raise MemoryError("no memory for another micro-batch")
    return forward_backward(*arguments)

def main():
    Network.forward_backward = fail
    worker.main()
'''


@pytest.fixture
def started(monkeypatch):
    """The worker processes that were started."""
    found = []

    class Noted(workers.Processes):
        def start(self, handle):
            super().start(handle)
            found.append(self.processes[-1])

    monkeypatch.setattr(workers, "Processes", Noted)
    return found


def all_gone(started):
    return bool(started) and all(process.returncode is not None for process in started)


def shared_memory_in_use():
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if "cnntrain (deleted)" in line]


@pytest.mark.parametrize(
    ("event", "whole"), [("TrainingStarted", 0), ("BatchEnded 1 1", 0), ("BatchEnded 2 2", 1), ("EpochEnded 3", 3)]
)
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_run_and_spares_the_weights(tiny_config, tmp_path, started, event, whole, victim):
    weights, happened = [], []
    with pytest.raises(WorkerError, match=rf"^worker {victim + 1} (was killed|ended) .*; the run is stopped$"):  # noqa: PT012
        for now in fit(tiny_config(workers=3), tmp_path / "run", plots=False):
            happened.append(now)
            name = type(now).__name__
            if name == "TrainingStarted":
                network = now.network
            if name == "EpochEnded":
                weights.append(network.parameters())
            which = [str(getattr(now, key)) for key in ("epoch", "batch") if hasattr(now, key)]
            if " ".join([name, *which]) == event:
                started[victim].kill()
                killed = time.monotonic()
    assert time.monotonic() - killed < 2
    assert all_gone(started)
    result = happened[-1].result
    assert (result["stop"], result["epochs"], result["test"]) == ("failed", whole, None)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == result
    assert (tmp_path / "run" / "weights.safetensors").exists() == (whole > 0)
    if whole:
        saved = cnntrain.load(tmp_path / "run").parameters()
        for name, value in weights[-1].items():
            np.testing.assert_array_equal(saved[name], value)


def test_a_worker_that_raises_ends_the_run(tiny_config, tmp_path, started, monkeypatch):
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(
        workers.Processes, "__init__", lambda self, module, init=workers.Processes.__init__: init(self, "failing")
    )
    with pytest.raises(WorkerError, match=r"worker [12] ended with status 1 \(there is not enough memory\)"):
        list(fit(tiny_config(workers=3, batch_size=40, Max=99), tmp_path / "run", plots=False))
    assert all_gone(started)


def test_a_run_that_diverges_says_so_on_any_number_of_workers(tiny_config, tmp_path, started):
    with pytest.raises(DivergedError, match="the loss is not finite"):
        list(fit(tiny_config(workers=2, alpha=1e30), tmp_path / "run", plots=False))
    assert all_gone(started)


@pytest.mark.parametrize("how", ["closed", "dropped", "interrupted"])
def test_an_abandoned_run_leaves_nothing(tiny_config, tmp_path, started, how):
    run = fit(tiny_config(workers=3), tmp_path / "run", plots=False)
    network = next(run).network
    next(run)
    if how == "closed":
        run.close()
    elif how == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            run.throw(KeyboardInterrupt)
    del run
    gc.collect()
    assert all_gone(started)
    assert np.isfinite(network.theta).all()
    if Path("/proc/self/maps").exists():
        assert shared_memory_in_use() == []


def test_the_network_can_be_used_after_the_run(tiny_config, tmp_path, record):
    run = record(tiny_config(workers=2), tmp_path / "run")
    saved = cnntrain.load(tmp_path / "run").parameters()
    for name, value in run.network.parameters().items():
        np.testing.assert_array_equal(value, saved[name])
    if Path("/proc/self/maps").exists():
        assert shared_memory_in_use() == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_a_rollback_maps_nothing_beside_what_it_left(tiny_config, tmp_path):
    """Not until the cycle collector runs, either."""
    most, config = 0, tiny_config(workers=2, alpha=1e30, on_divergence="rollback", loss="mse")
    gc.collect()
    gc.disable()
    try:
        with suppress(DivergedError):
            for event in fit(config, tmp_path / "run", plots=False):
                most = max(most, len(shared_memory_in_use()))
                name = type(event).__name__
        assert name == "TrainingEnded"
        assert most == 1
        assert shared_memory_in_use() == []
    finally:
        gc.enable()


def test_it_works_in_a_thread(tiny_config, tmp_path):
    """As in a notebook, where the main thread is not the one that runs the cells."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(cnntrain.train(tiny_config(workers=2, Max=1), tmp_path / "run", plots=False))
    )
    thread.start()
    thread.join(30)
    assert results[0]["stop"] == "max"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"workers": 1}, 1),
        ({"workers": 3}, 3),
        ({"workers": 1000}, 64),
        ({"workers": "auto"}, 1),
        ({"workers": "auto", "batch_size": "all"}, 8),
        ({"workers": "auto", "batch_size": 90}, "micro-batches"),
    ],
    ids=str,
)
def test_number_of_workers(make_config, monkeypatch, options, count):
    monkeypatch.setattr(cores, "available_cores", lambda: 8)
    layers = [
        {"conv": {"K": 64 if options != {"workers": "auto"} else 2, "F": 3, "P": 1}},
        {"fc": {"activation": "softmax"}},
    ]
    monkeypatch.setattr(cores, "WORTH_SHARING", 1e7)
    config = make_config(layers, data={"source": "digits"}, **({"batch_size": 32} | options))
    data = load_config_data(config)
    network = build_for(config, data)
    if count == "micro-batches":
        count = len(network.micro_batches(90))
        assert count < 8
    assert number_of_workers(config, network, data) == count


@pytest.mark.parametrize("size", [1, 2])
def test_the_workspaces_are_freed_with_the_ranks(tiny_config, size):
    """What comes then, plots and a rollback among them, finds their memory free."""
    config = tiny_config(workers=size)
    data = load_config_data(config)
    network = build_for(config, data)
    with workers.process_group(config, network, data, size):
        network.workspace(4).x.fill(0)
        assert network._workspaces.largest is not None
    assert network._workspaces.largest is None


@pytest.mark.parametrize(("batch_size", "count"), [(32, 1), (90, 3), ("all", 45), (10**6, 45)])
def test_a_batch_feeds_one_process_per_micro_batch(make_config, batch_size, count):
    config = make_config([{"fc": {"activation": "softmax"}}], data={"source": "digits"}, batch_size=batch_size)
    data = load_config_data(config)
    network = build_for(config, data)
    network.micro_batch_size = 32
    assert max_processes(config, network, data) == count
    network.micro_batch_size = 1
    assert max_processes(config, network, data) == min(64, 32 * count)
