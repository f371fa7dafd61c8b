"""A run stopped at any time resumes to the same bits, with any number of workers."""

import json
import os
import signal
import warnings
from importlib import import_module

import numpy as np
import pytest

import cnntrain
from cnntrain.errors import ConfigError, DataError, ReplayError, UsageError, WeightsError
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run

LAYERS = [
    {"conv": {"K": 3, "F": 2}},
    {"batch_norm": {"activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"dropout": {"rate": 0.3}},
    {"fc": {"activation": "softmax"}},
]
EVERYTHING = {
    "optimizer": "adamw", "alpha": 0.02, "schedule": "cosine", "warmup": 1, "clip_norm": 1.0, "batch_size": 7, "Max": 4,
    "augmentation": {"horizontal_flip": True, "crop": 1},
}  # fmt: skip
PLAIN = {"batch_size": 7, "Max": 4}
RESULTS = ("weights.safetensors", "best.safetensors", "metrics.jsonl", "summary.json", "config.yaml")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No plots, and no waiting for a disk that is not cut off from power: both take longer than the runs."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))


@pytest.fixture
def config(tiny_config):
    def make(layers=LAYERS, **training):
        return tiny_config(layers, data={"validation": 0.2}, **training)

    return make


def stop_at(batches):
    """An ``Interrupts`` that is set once so many batches of the run have ended, and what sets it."""
    interrupts, seen = Interrupts(), []

    def watch(events):
        found = []
        for event in events:
            found.append(event)
            if type(event).__name__ == "BatchEnded":
                seen.append(event)
                if len(seen) == batches:
                    interrupts.signal = signal.SIGINT
        return found

    return interrupts, watch


def results(folder):
    """What a run came to, without the seconds."""
    found = {name: (folder / name).read_bytes() for name in RESULTS}
    lines = [json.loads(line) for line in found["metrics.jsonl"].splitlines()]
    found["metrics.jsonl"] = [line | {"seconds": 0} for line in lines]
    found["summary.json"] = json.loads(found["summary.json"]) | {"seconds": 0, "run": ""}
    found["config.yaml"] = [line for line in found["config.yaml"].splitlines() if b"workers" not in line]
    return found


@pytest.fixture
def uninterrupted(config, tmp_path):
    """The results of the same run that nothing disturbed."""

    def run(**training):
        list(fit(config(**training), tmp_path / "uninterrupted", plots=False))
        return results(tmp_path / "uninterrupted")

    return run


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("batches", [1, 4, 5, 6, 13, 20])
def test_a_run_that_was_stopped_resumes_to_the_same_bits(config, uninterrupted, tmp_path, options, batches):
    expected = uninterrupted(**options)
    interrupts, watch = stop_at(batches)
    first = watch(fit(config(**options), tmp_path / "run", interrupts, plots=False))
    assert first[-1].result["stop"] == "interrupted"
    second = list(resume_run(tmp_path / "run", plots=False))
    assert results(tmp_path / "run") == expected
    ended = [(event.epoch, event.batch) for event in [*first, *second] if type(event).__name__ == "BatchEnded"]
    assert ended == sorted(set(ended))
    assert len(ended) == 20


@pytest.mark.slow
def test_any_mixture_of_workers_and_stops_gives_the_same_bits(config, uninterrupted, tmp_path):
    expected = uninterrupted(**EVERYTHING, workers=1)
    interrupts, watch = stop_at(3)
    watch(fit(config(**EVERYTHING, workers=2), tmp_path / "run", interrupts, plots=False))
    for workers, batches in ((1, 4), (3, 7), (1, 99)):
        interrupts, watch = stop_at(batches)
        watch(resume_run(tmp_path / "run", [f"training.workers={workers}"], interrupts, plots=False))
    assert results(tmp_path / "run") == expected


def test_seconds_are_those_of_all_parts(config, tmp_path):
    interrupts, watch = stop_at(7)
    first = watch(fit(config(**PLAIN), tmp_path / "run", interrupts, plots=False))[-1].result["seconds"]
    *_, last = (event for event in resume_run(tmp_path / "run", plots=False) if type(event).__name__ == "TrainingEnded")
    assert last.result["seconds"] > first


def test_a_finished_run_is_extended(config, tmp_path):
    list(fit(config(**PLAIN | {"Max": 6}), tmp_path / "long", plots=False))
    list(fit(config(**PLAIN), tmp_path / "run", plots=False))
    list(resume_run(tmp_path / "run", ["training.Max=6"], plots=False))
    assert results(tmp_path / "run") == results(tmp_path / "long")
    assert cnntrain.load_config(tmp_path / "run" / "config.yaml").training.Max == 6


def test_the_best_weights_of_an_extended_run_are_those_of_the_long_one(config, tmp_path):
    """They are of an epoch before the extension: far too long steps make the rest worse."""
    options = {"batch_size": 7, "alpha": 3.0}
    list(fit(config(**options, Max=7), tmp_path / "long", plots=False))
    best = json.loads((tmp_path / "long" / "summary.json").read_text())["best"]["epoch"]
    assert best < 6
    list(fit(config(**options, Max=6), tmp_path / "run", plots=False))
    list(resume_run(tmp_path / "run", ["training.Max=7"], plots=False))
    assert results(tmp_path / "run") == results(tmp_path / "long")


def test_a_finished_run_that_is_resumed_is_the_same_run(config, uninterrupted, tmp_path):
    expected = uninterrupted(**PLAIN)
    list(fit(config(**PLAIN), tmp_path / "run", plots=False))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("checkpoint*")}
    assert not [event for event in resume_run(tmp_path / "run", plots=False) if type(event).__name__ == "BatchEnded"]
    assert results(tmp_path / "run") == expected
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("checkpoint*")} == before


def test_patience_goes_on_waiting(config, tmp_path):
    options = {"batch_size": 7, "alpha": 3.0, "Max": 60, "patience": 4}
    list(fit(config(**options), tmp_path / "uninterrupted", plots=False))
    expected = results(tmp_path / "uninterrupted")
    assert expected["summary.json"]["stop"] == "patience"
    run, left = fit(config(**options), tmp_path / "run", plots=False), 99
    while left:
        interrupts, watch = stop_at(8)
        events = watch(fit(config(**options), tmp_path / "run", interrupts, plots=False) if left == 99 else run)
        left = events[-1].result["stop"] == "interrupted"
        interrupts, watch = stop_at(8)
        run = resume_run(tmp_path / "run", interrupts=interrupts, plots=False)
    run.close()
    assert results(tmp_path / "run") == expected


def test_a_run_without_a_checkpoint_starts_from_scratch(config, uninterrupted, tmp_path):
    expected = uninterrupted(**PLAIN)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_bytes((tmp_path / "uninterrupted" / "config.yaml").read_bytes())
    list(resume_run(tmp_path / "run", plots=False))
    assert results(tmp_path / "run") == expected


@pytest.fixture
def half(config, tmp_path):
    """The folder of a run that was stopped."""
    interrupts, watch = stop_at(8)
    watch(fit(config(**PLAIN), tmp_path / "run", interrupts, plots=False))
    return tmp_path / "run"


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["training.alpha=0.1"], "training.alpha is 0.05 in this run and cannot become 0.1"),
        (["network.layers.0.conv.K=4"], "network.layers.0.conv.K is 3 in this run and cannot become 4"),
        (["data.validation=0.3"], "data.validation is 0.2 in this run and cannot become 0.3"),
        (["training.Max=1"], "training.Max cannot become 1: this run is already in epoch 2"),
        (["training.alpha=many"], "expected a number above 0"),
    ],
)
def test_an_override_that_makes_another_run_is_refused_before_anything_is_touched(half, words, texts):
    before = content(half)
    with pytest.raises(ConfigError) as caught:
        list(resume_run(half, words, plots=False))
    assert texts in str(caught.value)
    assert content(half) == before


def test_changed_data_are_refused_before_anything_is_touched(half, tiny):
    arrays = dict(np.load(tiny))
    arrays["x_train"][3, 2, 2] ^= 1
    np.savez(tiny, **arrays)
    before = content(half)
    with pytest.raises(DataError, match=r"not those that this run started with: (train|validation) images differ$"):
        list(resume_run(half, plots=False))
    assert content(half) == before


def test_data_that_have_moved_are_the_same_data(half, tiny, uninterrupted, tmp_path):
    expected = uninterrupted(**PLAIN)
    tiny.rename(tmp_path / "moved.npz")
    with pytest.raises(DataError):
        list(resume_run(half, plots=False))
    list(resume_run(half, [f"data.path={tmp_path / 'moved.npz'}"], plots=False))
    assert results(half)["metrics.jsonl"] == expected["metrics.jsonl"]


def test_another_version_is_told(half, monkeypatch):
    from cnntrain.training.checkpointing import provenance

    now = provenance.provenance() | {"NumPy": "99.1"}
    monkeypatch.setattr(provenance, "provenance", lambda: now)
    texts = [event.text for event in resume_run(half, plots=False) if type(event).__name__ == "WarningIssued"]
    assert len(texts) == 1
    assert f"NumPy was {np.__version__} and is 99.1" in texts[0]


def test_a_damaged_checkpoint_gives_a_warning_and_the_previous_one_is_used(half, uninterrupted):
    newest = half / "checkpoint.safetensors"
    damaged = bytearray(newest.read_bytes())
    damaged[-5] ^= 1
    newest.write_bytes(damaged)
    texts = [event.text for event in resume_run(half, plots=False) if type(event).__name__ == "WarningIssued"]
    assert len(texts) == 1
    assert "damaged" in texts[0]
    assert results(half) == uninterrupted(**PLAIN)


def test_without_a_whole_checkpoint_nothing_is_touched(half):
    for path in half.glob("checkpoint*"):
        path.write_bytes(path.read_bytes()[:-1])
    before = content(half)
    with pytest.raises(WeightsError):
        list(resume_run(half, plots=False))
    assert content(half) == before


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_no_run_is_told(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no such run folder"):
        list(resume_run(tmp_path / name, plots=False))


def test_a_run_of_which_the_checkpoints_are_gone_is_told(half):
    for path in half.glob("checkpoint*"):
        path.unlink()
    with pytest.raises(WeightsError, match="there is no checkpoint"):
        list(resume_run(half, plots=False))


def test_a_run_that_another_process_works_on_is_refused(half):
    running = resume_run(half, plots=False)
    next(running)
    with pytest.raises(UsageError, match="another process is working on this run"):
        list(resume_run(half, plots=False))
    running.close()
    list(resume_run(half, plots=False))


def test_lines_of_metrics_that_somebody_changed_are_told(half):
    metrics = half / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace("0.", "1.", 1) + "{}")
    texts = [event.text for event in resume_run(half, plots=False) if type(event).__name__ == "WarningIssued"]
    assert len(texts) == 1
    assert "metrics.jsonl: this file was edited" in texts[0]
    assert [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()] == [1, 2, 3, 4]


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_the_last_steps_are_verified(config, uninterrupted, tmp_path, options):
    interrupts, watch = stop_at(8)
    watch(fit(config(**options), tmp_path / "run", interrupts, plots=False))
    events = list(resume_run(tmp_path / "run", verify=True, plots=False))
    assert type(events[0]).__name__ == "StepsVerified"
    assert 0 < events[0].steps <= 8
    assert results(tmp_path / "run") == uninterrupted(**options)


def test_steps_that_give_other_bits_are_found_out(half, monkeypatch):
    from cnntrain.network.network import Network

    learn = Network.forward_backward

    def a_bit_off(self, memory, y, scale, grads, want_dx=False):
        result = learn(self, memory, y, scale, grads, want_dx)
        grads[0]["W"] *= np.float32(1 + 1e-6)
        return result

    before = content(half)
    monkeypatch.setattr(Network, "forward_backward", a_bit_off)
    with pytest.raises(ReplayError, match="gave different bits: theta") as caught:
        list(resume_run(half, verify=True, plots=False))
    assert caught.value.exit_code == 3
    assert content(half) == before


def test_from_python(half, uninterrupted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = cnntrain.resume(half, plots=False)
    assert json.loads((half / "summary.json").read_text()) == result
    assert results(half) == uninterrupted(**PLAIN)


@pytest.mark.parametrize("batches", [1, 5, 9])
def test_a_run_that_is_ended_at_once_loses_no_checkpoint(config, uninterrupted, tmp_path, batches):
    """What a second Ctrl-C does: wherever it strikes, the exception goes through all that is open."""
    expected = uninterrupted(**EVERYTHING, checkpoint_every="2 batches")
    events = fit(config(**EVERYTHING, checkpoint_every="2 batches"), tmp_path / "run", plots=False)
    ended = 0
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for event in events:
            ended += type(event).__name__ == "BatchEnded"
            if ended == batches:
                events.throw(KeyboardInterrupt)
    first = next(event for event in resume_run(tmp_path / "run", plots=False) if type(event).__name__ == "BatchEnded")
    assert batches - 1 <= (first.epoch - 1) * 5 + first.batch <= batches + 1
    list(resume_run(tmp_path / "run", plots=False))
    assert results(tmp_path / "run") == expected


def test_a_snapshot_of_hard_links_and_its_run_do_not_change_each_other(tiny_config, tmp_path):
    """As ``cp -al`` makes it."""
    list(fit(tiny_config(), tmp_path / "run", plots=False))
    (tmp_path / "snapshot").mkdir()
    for path in (tmp_path / "run").iterdir():
        os.link(path, tmp_path / "snapshot" / path.name)
    before = {path.name: path.read_bytes() for path in (tmp_path / "snapshot").iterdir()}
    list(resume_run(tmp_path / "run", ["training.Max=5"], plots=False))
    assert {path.name: path.read_bytes() for path in (tmp_path / "snapshot").iterdir()} == before
    after = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    list(resume_run(tmp_path / "snapshot", ["training.Max=4"], plots=False))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == after


@pytest.mark.parametrize("is_unborn", [False, True])
def test_patience_that_would_wait_for_ever_is_refused(tiny_config, tmp_path, is_unborn):
    list(fit(tiny_config(), tmp_path / "run", plots=False))
    if is_unborn:
        for path in (tmp_path / "run").iterdir():
            if path.name != "config.yaml":
                path.unlink()
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(ConfigError, match="patience needs a validation split, and no samples are held out"):
        list(resume_run(tmp_path / "run", ["training.patience=2", "training.Max=9"], plots=False))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize(
    ("override", "stop"),
    [("training.epsilon=1e9", "epsilon"), ("training.patience=1", "patience"), ("training.Max=2", "max")],
)
def test_a_reason_to_stop_that_is_new_waits_for_the_end_of_the_iteration(tiny_config, tmp_path, override, stop):
    """The run was stopped within epoch 2; the epoch before it would already be reason enough."""
    config = tiny_config(data={"validation": 0.25}, batch_size=7, Max=9, alpha=1e-30)
    interrupts = Interrupts()
    for event in fit(config, tmp_path / "run", interrupts, plots=False):
        if (getattr(event, "epoch", 0), getattr(event, "batch", 0)) == (2, 2):
            interrupts.signal = signal.SIGINT
    *_, finished = resume_run(tmp_path / "run", [override], plots=False)
    assert (finished.result["stop"], finished.result["epochs"]) == (stop, 2)
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
