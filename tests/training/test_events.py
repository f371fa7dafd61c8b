"""The events of training and their order."""

import time

import pytest


def test_events_come_in_order(tiny_config, record, tmp_path):
    run = record(tiny_config(Max=2), tmp_path / "run")  # 40 samples in batches of 16
    kinds = [type(event).__name__ for event in run.events]
    assert kinds == ["TrainingStarted", *(["BatchEnded"] * 3 + ["EpochEnded"]) * 2, "TrainingEnded"]
    assert [(e.epoch, e.batch, e.samples) for e in run.of("BatchEnded")] == [
        (epoch, batch, min(40, 16 * batch)) for epoch in (1, 2) for batch in (1, 2, 3)
    ]


def test_the_first_event_describes_the_run(tiny_config, record, tmp_path):
    run = record(tiny_config(data={"validation": 0.25}, Max=5, epsilon=0.125), tmp_path / "run")
    started = run.events[0]
    assert started.run == tmp_path / "run"
    assert (started.source, started.classes) == ("npz", ("0", "1", "2"))
    assert sum(started.samples.values()) == 52
    assert started.samples["test"] == 12
    assert started.batches == len(run.of("BatchEnded")) / len(run.of("EpochEnded"))
    assert (started.Max, started.epsilon) == (5, 0.125)
    assert started.cores >= 1


def test_seconds_are_those_of_the_training_passes(tiny_config, record, tmp_path):
    began = time.perf_counter()
    run = record(tiny_config(Max=2), tmp_path / "run")
    elapsed = time.perf_counter() - began
    assert 0 < sum(event.seconds for event in run.of("EpochEnded")) < run.result["seconds"] < elapsed
    for epoch in run.of("EpochEnded"):
        seconds = [event.seconds for event in run.of("BatchEnded") if event.epoch == epoch.epoch]
        assert 0 < seconds[0] < seconds[1] < seconds[2] < epoch.seconds


def test_losses_are_means_over_the_samples_seen_so_far(tiny_config, record, tmp_path):
    run = record(tiny_config(Max=2), tmp_path / "run")
    for epoch in run.of("EpochEnded"):
        last = [event for event in run.of("BatchEnded") if event.epoch == epoch.epoch][-1]
        assert last.loss == pytest.approx(epoch.train_loss, rel=1e-12)
        assert 0 <= epoch.train_accuracy <= 1


def test_first_loss_does_not_depend_on_reduction_or_penalties(tiny_config, record, tmp_path):
    first = {
        record(tiny_config(Max=1, batch_size="all", **options), tmp_path / str(i)).of("EpochEnded")[0].train_loss
        for i, options in enumerate([{}, {"reduction": "sum"}, {"l2": 0.1}, {"l1": 0.1}])
    }
    assert len(first) == 1


def test_a_network_learns(tiny_config, record, tmp_path):
    run = record(tiny_config(alpha=0.1, momentum=0.9, Max=30), tmp_path / "run")
    assert run.result["test"]["accuracy"] == 1
    losses = [event.train_loss for event in run.of("EpochEnded")]
    assert losses[-1] < 0.3 * losses[0]
