"""``on_divergence: rollback``: back to the best weights, the untrained ones included, and on with half the alpha."""

import gc
import json
import os
import signal
import warnings
import weakref
from importlib import import_module

import numpy as np
import pytest

import cnntrain
from cnntrain.builder import build_for, load_config_data
from cnntrain.config import config_from_dict
from cnntrain.errors import DivergedError, ReplayError, WeightsError
from cnntrain.parallel import SingleProcess
from cnntrain.training.checkpointing.restore import last_checkpoint
from cnntrain.training.events import (
    BatchEnded,
    EpochEnded,
    StepsVerified,
    TrainingEnded,
    TrainingStarted,
    WarningIssued,
)
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.loop import train_loop
from cnntrain.training.resume import resume_run
from cnntrain.training.state import TrainState
from cnntrain.training.update import Update


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # no loss of power here
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))


def config(alpha, data=None, **training):
    """Least squares on all samples: beyond some alpha every step makes the weights larger."""
    options = {"loss": "mse", "batch_size": "all", "Max": 200, "alpha": alpha}
    return config_from_dict(
        {
            "data": {"source": "digits"} | (data or {}),
            "network": {"layers": [{"fc": {"units": 10}}]},
            "training": options | {"on_divergence": "rollback"} | training,
        },
        "a test",
    )


def rows(folder):
    return [json.loads(line) | {"seconds": 0} for line in (folder / "metrics.jsonl").read_text().splitlines()]


def results(folder):
    """All that must not depend on when a run was stopped."""
    files = [(folder / f"{name}.safetensors").read_bytes() for name in ("weights", "best")]
    summary = json.loads((folder / "summary.json").read_text())
    return files, rows(folder), {key: value for key, value in summary.items() if key not in ("run", "seconds")}


def warned(events):
    return [event.text for event in events if isinstance(event, WarningIssued)]


def test_half_the_alpha_saves_a_run(tmp_path):
    with pytest.raises(DivergedError):
        list(fit(config(0.1, on_divergence="stop"), tmp_path / "stop", plots=False))
    events = list(fit(config(0.1), tmp_path / "a", plots=False))
    (warning_texts,) = warned(events)
    assert (
        "rolling back to the initial weights, and continuing with 0.5 of alpha (rollback 1 of at most 3)"
        in warning_texts
    )
    assert sum(isinstance(event, TrainingStarted) for event in events) == 1
    (finished,) = [event for event in events if isinstance(event, TrainingEnded)]
    assert (finished.result["stop"], finished.result["epochs"]) == ("max", 200)
    assert (finished.result["rollbacks"], finished.result["alpha_factor"]) == (1, 0.5)
    assert [row["epoch"] for row in rows(tmp_path / "a")] == list(range(1, 201))
    assert rows(tmp_path / "a")[-1]["alpha"] == 0.05
    assert (tmp_path / "a" / "postmortem" / "report.json").exists()


def test_a_run_goes_back_to_its_best_iteration(tmp_path):
    """Alpha rises until its steps are too long: before that they were good."""
    events = list(fit(config(0.4, warmup=40, Max=60), tmp_path / "a", plots=False))
    warning_texts, _ = warned(events)
    best = int(warning_texts.split("rolling back to epoch ")[1].split(",")[0])
    assert best > 1
    before = [
        event.monitor_loss for event in events[: indices_of(events, WarningIssued)[0]] if isinstance(event, EpochEnded)
    ]
    assert best == int(np.argmin(before)) + 1
    after = [row["monitor_loss"] for row in rows(tmp_path / "a")]
    assert after[:best] == before[:best]
    assert len(after) == 60


def indices_of(events, kind):
    return [index for index, event in enumerate(events) if isinstance(event, kind)]


@pytest.mark.parametrize("data", [{}, {"validation": 0.1}], ids=str)
def test_weights_that_the_first_step_ruined_are_not_what_a_run_goes_back_to(tmp_path, data):
    """The loss of the first epoch is that of the untrained network, whose one step was far too long."""
    warning_texts = warned(fit(config(0.4, data, Max=60), tmp_path / "a", plots=False))
    assert len(warning_texts) == 3
    assert all("rolling back to the initial weights" in text for text in warning_texts)
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert (summary["stop"], summary["alpha_factor"]) == ("max", 0.125)
    split = "validation" if data else "train"
    untrained = rows(tmp_path / "a")[0]["train_loss"]
    assert cnntrain.evaluate(tmp_path / "a" / "best.safetensors", split)["loss"] == summary["best"]["loss"] < untrained


def test_the_advice_is_an_alpha_below_the_one_that_failed(tmp_path):
    with pytest.raises(DivergedError, match=r"try a smaller training\.alpha than 1\.25e\+29"):
        list(fit(config(1e30), tmp_path / "a", plots=False))
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert (summary["stop"], summary["rollbacks"], summary["alpha_factor"]) == ("diverged", 3, 0.125)


def test_a_run_goes_back_three_times_at_most(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        with pytest.raises(DivergedError):
            cnntrain.train(config(1e30), tmp_path / "a", plots=False)
    warning_texts = [str(warning.message) for warning in caught]
    assert [f"rollback {time} of at most 3" in text for time, text in enumerate(warning_texts, start=1)] == [
        True,
        True,
        True,
    ]


@pytest.mark.slow
def test_neither_workers_nor_checkpoints_make_a_difference(tmp_path):
    list(fit(config(1.0, Max=25), tmp_path / "a", plots=False))
    for _ in fit(
        config(1.0, Max=25, checkpoint_every="7 batches", workers=2), tmp_path / "b", stop := Interrupts(), plots=False
    ):
        if (tmp_path / "b" / "postmortem").exists():
            stop.signal = signal.SIGTERM
    list(resume_run(tmp_path / "b", plots=False))
    assert results(tmp_path / "a") == results(tmp_path / "b")


def test_a_run_that_went_back_resumes_with_its_smaller_alpha(tmp_path):
    list(fit(config(0.1, Max=100), tmp_path / "a", plots=False))
    list(resume_run(tmp_path / "a", ["training.Max=120"], plots=False))
    lines = rows(tmp_path / "a")
    assert lines[-1]["alpha"] == 0.05
    assert [line["epoch"] for line in lines] == list(range(1, 121))


@pytest.fixture
def breaking(monkeypatch):
    """Makes steps break the weights: ``breaking((t, factor), ...)``, by their number and what is left of alpha."""
    real, bad = Update.step, set()

    def step(self, gradient, t, factor=1.0, *others):
        if (t, factor) in bad:
            gradient[...] = np.inf
        return real(self, gradient, t, factor, *others)

    monkeypatch.setattr(Update, "step", step)
    return lambda *steps: bad.update(steps)


# An epoch of the tiny data has three batches.
CASES = {
    "first batch": [(1, 1.0)],
    "last batch of the first epoch": [(3, 1.0)],
    "first batch of an epoch": [(7, 1.0)],
    "within an epoch": [(8, 1.0)],
    "last batch of an epoch": [(9, 1.0)],
    "last batch of all": [(12, 1.0)],
    "twice at the same batch": [(8, 1.0), (8, 0.5)],
    "at two consecutive rollbacks": [(12, 1.0), (10, 0.5)],
    "three times": [(12, 1.0), (11, 0.5), (12, 0.25)],
    "four times": [(11, 1.0), (12, 0.5), (12, 0.25), (10, 0.125)],
}
OPTIONS = {
    "batch_size": 14,
    "optimizer": "adam",
    "alpha": 0.01,
    "Max": 4,
    "on_divergence": "rollback",
    "schedule": "cosine",
}
LAYERS = [
    {"conv": {"K": 2, "F": 2, "activation": "identity"}},
    {"batch_norm": {"activation": "relu"}},
    {"dropout": {"rate": 0.2}},
    {"fc": {"activation": "softmax"}},
]


def whole(events):
    """The events of a run to its end, however it ends."""
    found = []
    try:
        found.extend(events)
    except DivergedError:
        found.append(None)
    return found


@pytest.mark.parametrize("validation", [0, 0.25])
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_stopped_at_every_batch_rolls_back_to_the_same_bits(
    tiny_config, tmp_path, breaking, case, validation
):
    breaking(*CASES[case])
    options = tiny_config(LAYERS, {"validation": validation}, **OPTIONS, patience=3 if validation else 0)
    events = whole(fit(options, tmp_path / "whole", plots=False))
    assert len(warned(events)) == min(3, len(CASES[case]))
    expected = results(tmp_path / "whole")
    assert expected[2]["rollbacks"] == min(3, len(CASES[case]))
    assert (expected[2]["stop"] == "diverged") == (len(CASES[case]) > 3)
    split = "validation" if validation else "train"
    assert expected[2]["best"]["loss"] == cnntrain.evaluate(tmp_path / "whole" / "best.safetensors", split)["loss"]
    for every in ("1 batch", 60.0):
        folder = tmp_path / str(every)
        first = options.model_copy(update={"training": options.training.model_copy(update={"checkpoint_every": every})})
        coming = stopped_at_each_batch(lambda stop, first=first, folder=folder: fit(first, folder, stop, plots=False))
        while coming:
            coming = stopped_at_each_batch(lambda stop, folder=folder: resume_run(folder, interrupts=stop, plots=False))
        assert results(folder) == expected


def stopped_at_each_batch(run):
    """Run until a batch has ended; whether it was stopped there."""
    stop = Interrupts()
    for event in whole(run(stop)):
        if isinstance(event, TrainingEnded):
            result = event.result
    return result["stop"] == "interrupted"


@pytest.mark.parametrize("case", ["within an epoch", "last batch of an epoch", "three times"])
def test_a_run_that_is_killed_at_any_event_rolls_back_to_the_same_bits(tiny_config, tmp_path, breaking, case):
    breaking(*CASES[case])
    options = tiny_config(LAYERS, **OPTIONS, checkpoint_every="2 batches")
    events = whole(fit(options, tmp_path / "whole", plots=False))
    expected = results(tmp_path / "whole")
    for count in range(1, len(events) - 1, 4):
        folder = tmp_path / str(count)
        coming = fit(options, folder, plots=False)
        for _ in range(count):
            next(coming)
        coming.close()  # as after a kill, nothing more is saved
        assert all("rolling back to" in text for text in warned(whole(resume_run(folder, plots=False))))
        assert results(folder) == expected


@pytest.mark.parametrize(
    "optimizer",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"optimizer": "rmsprop"},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {},
    ],
    ids=str,
)
def test_what_the_optimizer_remembers_begins_anew(tiny_config, tmp_path, breaking, optimizer):
    """The steps behind a rollback are those of a new run from these weights, its bias correction included."""
    options = tiny_config(batch_size="all", **optimizer, Max=6, alpha=0.01, on_divergence="rollback")
    breaking((4, 1.0))
    events, thetas = [], []
    for event in fit(options, tmp_path / "a", plots=False):
        events.append(event)
        if isinstance(event, TrainingStarted):
            network = event.network
        if isinstance(event, EpochEnded):
            thetas.append(network.theta.copy())
    (warning_texts,) = warned(events)
    assert "rolling back to epoch 3" in warning_texts
    data = load_config_data(options)
    network = build_for(options, data)
    network.theta[...] = thetas[2]
    half = options.training.model_copy(update={"alpha": options.training.alpha / 2, "Max": 3})
    fresh = []
    for event in train_loop(network, data, half, SingleProcess(network.layout, network.dtype, half.state_rows)):
        if isinstance(event, EpochEnded):
            fresh.append(network.theta.copy())
    np.testing.assert_array_equal(thetas[3:], fresh)


def test_the_first_step_of_adam_behind_a_rollback_is_as_long_as_alpha_says(tiny_config, tmp_path, breaking):
    breaking((8, 1.0))
    options = tiny_config(
        batch_size="all", optimizer="adam", Max=9, alpha=1e-3, on_divergence="rollback", dtype="float64", eps=1e-12
    )
    list(fit(options, tmp_path / "a", plots=False))
    assert rows(tmp_path / "a")[7]["max_change"] == pytest.approx(0.5e-3, rel=1e-6)


def test_the_schedule_is_that_of_the_run(tiny_config, tmp_path, breaking):
    options = tiny_config(**OPTIONS)
    list(fit(options, tmp_path / "calm", plots=False))
    breaking((8, 1.0))
    list(fit(options, tmp_path / "back", plots=False))
    alphas = [[row["alpha"] for row in rows(tmp_path / run)] for run in ("calm", "back")]
    assert alphas[1] == [*alphas[0][:2], *(alpha / 2 for alpha in alphas[0][2:])]


def test_at_the_beginning_the_weights_are_those_of_the_beginning(tiny_config, tmp_path, breaking):
    """Where no epoch has ended."""
    breaking((2, 1.0))
    options = tiny_config(**OPTIONS)
    untrained = build_for(options, load_config_data(options)).theta
    folder = tmp_path / "a"
    coming = fit(options, folder, plots=False)
    for event in coming:
        if isinstance(event, WarningIssued):
            assert "rolling back to the initial weights" in event.text
            next(coming)  # a batch, or the first event behind the checkpoint
            coming.close()
    saved = last_checkpoint(folder).checkpoint
    np.testing.assert_array_equal(saved.theta, untrained)
    assert saved.state == TrainState(rollbacks=1)
    assert (saved.best, saved.outcome.best_epoch) == (None, 0)
    assert not (folder / "metrics.jsonl").exists()


def test_lines_beyond_the_place_gone_back_to_are_forgotten_at_once(tiny_config, tmp_path, breaking):
    """Also where the run is then stopped before another line is written."""
    breaking((10, 1.0))
    stop = Interrupts()
    options = tiny_config(**OPTIONS | {"alpha": 10.0})  # so long that nothing is better than the beginning
    gone_back = False
    for event in fit(options, tmp_path / "a", stop, plots=False):
        gone_back = gone_back or isinstance(event, WarningIssued)
        if gone_back and isinstance(event, BatchEnded):
            stop.signal = signal.SIGINT
    done = last_checkpoint(tmp_path / "a").checkpoint.state.epoch - 1
    assert len((tmp_path / "a" / "metrics.jsonl").read_text().splitlines()) == done


@pytest.mark.parametrize("every", ["5 batches", 60.0])
def test_verify_sees_that_a_rollback_lies_between_two_checkpoints(tiny_config, tmp_path, breaking, every):
    breaking((8, 1.0))
    options = tiny_config(**OPTIONS, checkpoint_every=every)
    list(fit(options, tmp_path / "whole", plots=False))
    coming = fit(options, tmp_path / "killed", plots=False)
    for event in coming:
        if isinstance(event, WarningIssued):
            next(coming)
            coming.close()
    warning_texts = warned(resume_run(tmp_path / "killed", verify=True, plots=False))
    assert "the run rolled back between its last two checkpoints: no steps to repeat" in warning_texts[0]
    assert results(tmp_path / "killed") == results(tmp_path / "whole")


def test_verify_repeats_the_steps_behind_a_rollback(tiny_config, tmp_path, breaking):
    breaking((8, 1.0))
    list(fit(tiny_config(**OPTIONS, checkpoint_every="2 batches"), tmp_path / "a", plots=False))
    (verified,) = [
        event for event in resume_run(tmp_path / "a", verify=True, plots=False) if isinstance(event, StepsVerified)
    ]
    assert verified.steps > 0


def test_steps_that_diverge_only_when_they_are_repeated_are_other_bits(tiny_config, tmp_path, breaking):
    list(fit(tiny_config(**OPTIONS, checkpoint_every="2 batches"), tmp_path / "a", plots=False))
    breaking((12, 1.0))
    with pytest.raises(ReplayError, match=r"repeating the steps from epoch 4, batch 2 to epoch 5, batch 0 diverged: "):
        list(resume_run(tmp_path / "a", verify=True, plots=False))


def test_a_checkpoint_of_another_run_is_not_what_verify_begins_from(tiny_config, tmp_path):
    list(fit(tiny_config(**OPTIONS), tmp_path / "a", plots=False))
    list(fit(tiny_config(**OPTIONS | {"optimizer": "sgd"}), tmp_path / "b", plots=False))
    previous = "checkpoint.previous.safetensors"
    (tmp_path / "a" / previous).write_bytes((tmp_path / "b" / previous).read_bytes())
    with pytest.raises(WeightsError, match="are from different runs"):
        list(resume_run(tmp_path / "a", verify=True, plots=False))


def test_a_rollback_keeps_nothing_of_what_diverged_in_memory(tiny_config, tmp_path, breaking, monkeypatch):
    """Not until the cycle collector runs, either: what processes share may be half of the memory."""
    workers = import_module("cnntrain.training.workers")
    made, real, most = [], workers.SingleProcess, 0

    def single(*arguments):
        communicator = real(*arguments)
        made.append(weakref.ref(communicator))
        return communicator

    monkeypatch.setattr(workers, "SingleProcess", single)
    breaking((10, 1.0), (11, 0.5), (10, 0.25))
    gc.disable()
    try:
        for event in fit(tiny_config(**OPTIONS), tmp_path / "a", plots=False):
            if isinstance(event, BatchEnded):
                most = max(most, sum(reference() is not None for reference in made))
    finally:
        gc.enable()
    assert len(made) == 4
    assert most == 1
