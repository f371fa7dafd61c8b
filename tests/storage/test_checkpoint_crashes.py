"""Wherever a loss of power cuts off the writing of a checkpoint, a whole one is left, and the run goes on from it."""

import json
import os
import signal
from importlib import import_module

import numpy as np
import pytest

from cnntrain.config import config_from_dict
from cnntrain.runs.folder import CHECKPOINT_FILE, PREVIOUS_FILE
from cnntrain.training.checkpointing.checkpoint import load, save
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import last_checkpoint, resume_run

OLDEST, OLD, NEW = (1, 3), (2, 1), (2, 2)
"""Epoch and batches of three checkpoints in a row."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No plots, and no waiting for a disk that is not cut off from power."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (20, 3, 3), dtype=np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "tiny.npz", images=images, labels=labels)
    return config_from_dict(
        {
            "data": {"source": "npz", "path": str(tmp_path / "tiny.npz")},
            "network": {"layers": [{"fc": {"activation": "softmax"}}]},
            "training": {"batch_size": 6, "Max": 3, "momentum": 0.9, "checkpoint_every": "1 batch"},
        },
        "a test",
    )


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def position(folder):
    progress = last_checkpoint(folder).checkpoint.state
    return progress.epoch, progress.batch


def results(folder):
    lines = [json.loads(line) | {"seconds": 0} for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(folder / f"{name}.safetensors").read_bytes() for name in ("weights", "best")], lines


def run_until(config, folder, epoch, batch):
    """Train until a batch has ended; what lies in the folder then."""
    interrupts = Interrupts()
    for event in fit(config, folder, interrupts, plots=False):
        if (getattr(event, "epoch", 0), getattr(event, "batch", 0)) == (epoch, batch):
            interrupts.signal = signal.SIGINT
    return files(folder)


def test_every_crash_of_a_checkpoint_leaves_a_whole_one_to_go_on_from(config, tmp_path, disk, crashes, put_back):
    list(fit(config, tmp_path / "undisturbed", plots=False))
    expected = results(tmp_path / "undisturbed")
    before = run_until(config, tmp_path / "old", *OLD)
    new = run_until(config, tmp_path / "new", *NEW)
    folder = tmp_path / "old"
    assert position(folder) == OLD
    assert position(tmp_path / "new") == NEW
    save(folder, new[CHECKPOINT_FILE], disk)
    found, states = [], list(crashes(before, disk.operations))
    for state in states:
        put_back(folder, state)
        found.append(position(folder))
        list(resume_run(folder, plots=False))
        assert results(folder) == expected
        assert not list(folder.glob("*.tmp"))
    assert set(found) == {OLD, NEW}
    assert found[-1] == NEW
    assert len(states) == 9


def test_every_crash_in_the_first_steps_leaves_something_to_go_on_from(config, tmp_path, all_files, crashes, put_back):
    """From the first file of a run to behind its second checkpoint: config, metrics and all."""
    expected_folder = tmp_path / "undisturbed"
    list(fit(config, expected_folder, plots=False))
    expected = results(expected_folder)
    all_files.operations.clear()
    run_until(config, tmp_path / "run", 1, 1)
    folder = tmp_path / "run"
    has_config = 0
    for count in range(len(all_files.operations) + 1):
        # A process that is killed loses nothing that was written: the last state of each.
        *_, state = crashes({}, all_files.operations[:count])
        put_back(folder, state)
        if "config.yaml" not in state:
            continue  # nothing has begun: the command is given again
        has_config += 1
        list(resume_run(folder, plots=False))
        assert results(folder) == expected, count
    assert has_config > 20


def test_a_crash_loses_both_checkpoints_where_the_order_is_wrong(config, tmp_path, disk, crashes, put_back):
    """The proof above would see it."""
    before = run_until(config, tmp_path / "old", *OLD)
    new = run_until(config, tmp_path / "new", *NEW)
    folder = tmp_path / "old"
    save(folder, new[CHECKPOINT_FILE], disk)
    careless = [operation for operation in disk.operations if operation[0] != "sync"]
    lost = 0
    for state in crashes({name: before[name] for name in (CHECKPOINT_FILE, PREVIOUS_FILE)}, careless):
        put_back(folder, state)
        try:
            load(folder / CHECKPOINT_FILE)
        except Exception:
            lost += 1
    assert lost


def test_the_newest_is_the_one_before_when_the_next_is_written(config, tmp_path):
    run_until(config, tmp_path / "old", *OLD)
    new = run_until(config, tmp_path / "new", *NEW)
    old = files(tmp_path / "old")
    save(tmp_path / "old", new[CHECKPOINT_FILE])
    left = files(tmp_path / "old")
    assert (left[CHECKPOINT_FILE], left[PREVIOUS_FILE]) == (new[CHECKPOINT_FILE], old[CHECKPOINT_FILE])
