"""If saving fails, training continues with a warning, and saving is tried again."""

import errno
import json
import os
import shutil
from dataclasses import asdict
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import cnntrain
from cnntrain.errors import StorageError
from cnntrain.storage import FolderLock
from cnntrain.storage.disk import DISK, Disk
from cnntrain.training.checkpointing import checkpoint, manager
from cnntrain.training.checkpointing.manager import last_lines, parse_period
from cnntrain.training.events import EpochEnded
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import last_checkpoint, resume_run
from cnntrain.weights.safetensors_file import MAX_HEADER

OPTIONS = {"batch_size": 7, "Max": 5, "momentum": 0.9, "checkpoint_every": "2 batches"}


class Trouble(Disk):
    """A disk on which nothing can be made or written while ``error`` is set."""

    error = None

    def _may(self, path):
        if Trouble.error is not None:
            raise OSError(Trouble.error.errno, Trouble.error.strerror, str(path))

    def create(self, path):
        self._may(path)
        return super().create(path)

    def write(self, file, content, path):
        if Trouble.error is not None:
            super().write(file, content[: len(content) // 2], path)
        self._may(path)
        super().write(file, content, path)


@pytest.fixture(autouse=True)
def trouble(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # no loss of power here
    monkeypatch.setattr(DISK, "__class__", Trouble)
    monkeypatch.setattr(Trouble, "error", None)
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
    return Trouble


def full():
    return OSError(errno.ENOSPC, "No space left on device")


def watched(events, at, found=None):
    """The events; ``at`` says what is done when a batch has ended."""
    found = [] if found is None else found
    for event in events:
        found.append(event)
        if type(event).__name__ == "BatchEnded":
            at.get((event.epoch, event.batch), lambda: None)()
    return found


def warnings_of(events):
    return [event.text for event in events if type(event).__name__ == "WarningIssued"]


def results(folder):
    lines = [json.loads(line) | {"seconds": 0} for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(folder / f"{name}.safetensors").read_bytes() for name in ("weights", "best")], lines


@pytest.fixture
def expected(tiny_config, tmp_path):
    list(fit(tiny_config(**OPTIONS), tmp_path / "undisturbed", plots=False))
    return results(tmp_path / "undisturbed")


def test_a_disk_that_is_full_for_a_while_costs_nothing(tiny_config, tmp_path, trouble, expected):
    at = {(1, 3): lambda: setattr(trouble, "error", full()), (4, 1): lambda: setattr(trouble, "error", None)}
    texts = warnings_of(watched(fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False), at))
    assert len(texts) == 2
    assert "No space left on device; training continues, and saving is tried again later" in texts[0]
    assert texts[1] == "saving works again"
    assert results(tmp_path / "run") == expected
    assert not list((tmp_path / "run").glob("*.tmp"))


def test_a_disk_that_stays_full_ends_the_run_with_a_sentence(tiny_config, tmp_path, trouble, expected):
    events = []
    with pytest.raises(
        StorageError,
        match=r"saving failed: .*No space left on device; .* cnntrain resume continues from epoch 2, batch 2",
    ):
        watched(
            fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False),
            {(2, 3): lambda: setattr(trouble, "error", full())},
            events,
        )
    assert events[-1].result["stop"] == "max"
    assert events[-1].result["epochs"] == 5
    progress = last_checkpoint(tmp_path / "run").checkpoint.state
    assert (progress.epoch, progress.batch) == (2, 2)
    trouble.error = None
    list(resume_run(tmp_path / "run", plots=False))
    assert results(tmp_path / "run") == expected


def test_a_checkpoint_holds_the_last_lines_that_could_not_be_written(tiny_config, tmp_path, monkeypatch):
    """A checkpoint with all lines of a long run could not be read: its header would be too long."""
    line = json.dumps(asdict(EpochEnded(100_000, *7 * [0.1234567890123456], 0.1234567890123456)))
    kept = last_lines([line] * 100_000)
    assert 3000 < len(kept) < 100_000
    assert len(json.dumps(json.dumps({"waiting": kept}))) < MAX_HEADER / 2
    monkeypatch.setattr(manager, "MAX_WAITING", 2 * len(line))
    metrics = tmp_path / "run" / "metrics.jsonl"
    events = fit(tiny_config(Max=9), tmp_path / "run", interrupts := Interrupts(), plots=False)
    for event in events:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            metrics.rename(tmp_path / "elsewhere")
            metrics.symlink_to(tmp_path / "elsewhere")
        if isinstance(event, EpochEnded) and event.epoch == 7:
            interrupts.signal = 2
            with pytest.raises(StorageError):
                list(events)
    metrics.unlink()
    (tmp_path / "elsewhere").rename(metrics)
    (text,) = warnings_of(resume_run(tmp_path / "run", plots=False))
    assert text == f"{metrics}: the figures of {9 - 6} epochs are missing: they could not be written"
    epochs = [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()]
    assert epochs[:2] == [1, 2]
    assert epochs == [1, 2, 6, 7, 8, 9]


def test_a_disk_that_is_full_from_the_beginning_is_told_before_anything_is_learned(tiny_config, tmp_path, trouble):
    trouble.error = full()
    with pytest.raises(OSError, match="No space"):
        list(fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False))
    trouble.error = None
    list(fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False))


def test_a_folder_that_is_deleted_is_told_and_not_made_anew(tiny_config, tmp_path):
    with pytest.raises(StorageError, match="No such file or directory"):
        watched(
            fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False),
            {(2, 1): lambda: shutil.rmtree(tmp_path / "run")},
        )
    assert not (tmp_path / "run").exists()


def test_a_folder_that_comes_back_is_used(tiny_config, tmp_path, expected):
    at = {(2, 1): lambda: shutil.rmtree(tmp_path / "run"), (3, 1): (tmp_path / "run").mkdir}
    texts = warnings_of(watched(fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False), at))
    assert texts[-1] == "saving works again"
    weights, lines = results(tmp_path / "run")
    assert weights == expected[0]
    assert lines == expected[1][-len(lines) :]
    list(resume_run(tmp_path / "run", plots=False))


def test_another_run_in_its_place_is_left_alone(tiny_config, tmp_path):
    other = []

    def replace():
        shutil.rmtree(tmp_path / "run")
        other.append(fit(tiny_config(**OPTIONS, seed=1), tmp_path / "run", plots=False))
        next(other[0])

    with pytest.raises(StorageError, match="another process is working on this run"):
        watched(fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False), {(2, 1): replace})
    list(other[0])
    list(fit(tiny_config(**OPTIONS, seed=1), tmp_path / "alone", plots=False))
    assert results(tmp_path / "run") == results(tmp_path / "alone")


def test_the_same_trouble_is_told_once(tiny_config, tmp_path, trouble):
    def other():
        trouble.error = OSError(errno.EDQUOT, "Disk quota exceeded")

    events = []
    with pytest.raises(StorageError):
        watched(
            fit(tiny_config(**OPTIONS), tmp_path / "run", plots=False),
            {(1, 3): lambda: setattr(trouble, "error", full()), (4, 1): other},
            events,
        )
    texts = warnings_of(events)
    assert ["No space" in text for text in texts] == [True] * (len(texts) - 1) + [False]
    assert "Disk quota exceeded" in texts[-1]
    assert len(texts) <= 3


def test_numbers_that_ran_away_are_in_no_checkpoint(tiny_config, tmp_path):
    options = OPTIONS | {"alpha": 1e30, "checkpoint_every": "1 batch"}
    with pytest.raises(cnntrain.CnntrainError):
        list(fit(tiny_config(**options), tmp_path / "run", plots=False))
    assert np.isfinite(last_checkpoint(tmp_path / "run").checkpoint.theta).all()


@pytest.mark.parametrize(
    ("said", "meant"), [(60.0, (60.0, "seconds")), ("1 batch", (1, "batches")), ("100 batches", (100, "batches"))]
)
def test_how_often_a_checkpoint_is_written(said, meant):
    assert parse_period(said) == meant


@pytest.mark.parametrize(("every", "least"), [("1 batch", 30), ("3 batches", 12), (0.0001, 30), (60.0, 1)])
def test_checkpoints_are_written_so_often(tiny_config, tmp_path, monkeypatch, every, least):
    save, written = checkpoint.save, []
    monkeypatch.setattr(checkpoint, "save", lambda *arguments: (written.append(1), save(*arguments)))
    list(fit(tiny_config(**OPTIONS | {"checkpoint_every": every}), tmp_path / "run", plots=False))
    assert least <= len(written) <= 37


def test_saving_takes_no_more_than_a_twentieth_of_the_time(tiny_config, tmp_path, monkeypatch):
    """With a clock that advances by 0.1 s per epoch and 1 s per checkpoint."""
    now, saved, save = [0.0], [], checkpoint.save

    def slow(*arguments):
        now[0] += 1.0
        saved.append(now[0])
        save(*arguments)

    monkeypatch.setattr(checkpoint, "save", slow)
    monkeypatch.setattr(manager, "time", SimpleNamespace(monotonic=lambda: now[0]))
    options = {"batch_size": "all", "Max": 300, "checkpoint_every": 1e9}
    for event in fit(tiny_config(**options), tmp_path / "run", plots=False):
        now[0] += 0.1 if type(event).__name__ == "BatchEnded" else 0
    between = [later - earlier for earlier, later in pairwise(saved[1:-1])]  # the first and the last are always written
    assert len(between) >= 1
    assert min(between) >= 20


def test_nothing_is_written_into_a_folder_of_another_process(tiny_config, tmp_path):
    """Neither at a run's end nor before."""
    others, found = [], []

    def replace():
        shutil.rmtree(tmp_path / "run")
        (tmp_path / "run").mkdir()
        others.append(FolderLock(tmp_path / "run"))

    def look():
        found.append(sorted(path.name for path in (tmp_path / "run").iterdir()))

    options = OPTIONS | {"checkpoint_every": "1 batch"}
    at = {(2, 1): replace, (2, 3): look, (3, 2): look, (5, 6): look}
    with pytest.raises(StorageError, match="another process is working on this run"):
        watched(fit(tiny_config(**options), tmp_path / "run", plots=False), at)
    look()
    assert found == [[".lock"]] * 4
    others[0].release()


@pytest.mark.parametrize("name", ["best.safetensors", "weights.safetensors", "checkpoint.safetensors"])
def test_a_file_that_is_deleted_in_mid_run_is_written_again(tiny_config, tmp_path, name):
    """Also the best weights, when no later ones are better: steps this short change nothing."""
    options = OPTIONS | {"alpha": 1e-30, "momentum": 0.0}
    list(fit(tiny_config(**options), tmp_path / "undisturbed", plots=False))
    at = {(3, 2): (tmp_path / "run" / name).unlink}
    events = watched(fit(tiny_config(**options), tmp_path / "run", plots=False), at)
    assert events[-1].result["best"]["epoch"] == 1
    assert results(tmp_path / "run") == results(tmp_path / "undisturbed")
    assert (tmp_path / "run" / name).exists()
