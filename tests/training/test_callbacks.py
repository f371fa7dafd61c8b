"""``train(config, callbacks=[f])``: each event, the same bits, and what an exception does."""

import os
import signal

import numpy as np
import pytest
from PIL import Image

import cnntrain
from cnntrain.errors import DivergedError, UsageError
from cnntrain.training.events import BatchEnded, EpochEnded, LoadingProgress, TrainingEnded, TrainingStarted
from cnntrain.training.fit import fit

LAYERS = [
    {"conv": {"K": 2, "F": 2}},
    {"batch_norm": {"activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"dropout": {"rate": 0.2}},
    {"fc": {"activation": "softmax"}},
]


def weights(run):
    return (run / "weights.safetensors").read_bytes()


def train(config, out, *callbacks):
    return cnntrain.train(config, out=out, plots=False, callbacks=callbacks)


def test_each_callback_gets_each_event_in_order(tiny_config, tmp_path):
    first, second, config = [], [], tiny_config(workers=1, data={"validation": 0.2})
    result = train(config, tmp_path / "run", first.append, lambda event: second.append(len(first)))
    assert second == list(range(1, len(first) + 1))
    expected = [type(event) for event in fit(config, tmp_path / "again", plots=False)]
    seen = [type(event) for event in first]
    assert [kind for kind in seen if kind is not LoadingProgress] == [k for k in expected if k is not LoadingProgress]
    assert first[-1].result == result
    (epoch,) = (event for event in first if isinstance(event, EpochEnded) and event.epoch == 2)
    assert epoch.metrics.keys() >= {"train_loss", "train_accuracy", "validation_loss", "alpha"}
    assert "epoch" not in epoch.metrics
    assert None not in epoch.metrics.values()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_callback_that_uses_the_network_changes_no_bits(tiny_config, tmp_path, workers):
    config = tiny_config(LAYERS, workers=workers, momentum=0.9, batch_size=9)
    train(config, tmp_path / "without")
    networks, calls = [], []

    def use(event):
        if isinstance(event, TrainingStarted):
            networks.append(event.network)
        if networks and isinstance(event, BatchEnded | EpochEnded | TrainingStarted):
            network, x = networks[0], np.random.default_rng(7).normal(size=(11, 1, 5, 5))
            network.forward(x)
            network.loss_and_gradients(x, np.arange(11) % 3)
            np.random.seed(3)  # noqa: NPY002 - what a user's callback may do
            calls.append(event)

    train(config, tmp_path / "with", use)
    assert len(calls) == 3 * 6 + 1
    assert weights(tmp_path / "with") == weights(tmp_path / "without")


class Boom(Exception):
    pass


def raising(kind, condition=lambda event: True, error=Boom):
    calls = []

    def callback(event):
        calls.append(event)
        if isinstance(event, kind) and condition(event):
            raise error("boom")

    return callback, calls


@pytest.mark.parametrize("error", [Boom, SystemExit, KeyboardInterrupt])
def test_an_exception_saves_the_run_and_is_raised(tiny_config, tmp_path, error):
    config = tiny_config(workers=1)
    train(config, tmp_path / "whole")
    callback, calls = raising(BatchEnded, lambda event: (event.epoch, event.batch) == (2, 2), error)
    other = []
    with pytest.raises(error, match="boom"):
        train(config, tmp_path / "run", callback, other.append)
    assert isinstance(calls[-1], BatchEnded)  # neither is called any more
    assert len(other) == len(calls) - 1
    summary = (tmp_path / "run" / "summary.json").read_text()
    assert '"stop": "interrupted"' in summary
    result = cnntrain.resume(tmp_path / "run", plots=False)
    assert result["stop"] == "max"
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_before_training_begins_nothing_is_left(tiny_config, tmp_path):
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / "1.png")
    config = tiny_config(data={"source": "images", "path": str(tmp_path / "photos"), "validation": 0.0})
    callback, calls = raising(object)
    with pytest.raises(Boom):
        train(config, tmp_path / "run", callback)
    assert len(calls) == 1
    assert not isinstance(calls[0], TrainingStarted)
    assert not (tmp_path / "run").exists()


def test_at_the_end_everything_is_saved_and_the_folder_is_free(tiny_config, tmp_path):
    callback, _ = raising(TrainingEnded)
    with pytest.raises(Boom) as caught:
        train(tiny_config(workers=1), tmp_path / "run", callback)
    assert caught.value.__traceback__ is not None  # which keeps the frames
    assert cnntrain.resume(tmp_path / "run", ["training.Max=4"], plots=False)["epochs"] == 4


def test_a_run_that_diverges_then_raises_the_exception_of_the_callback(tiny_config, tmp_path):
    config = tiny_config(workers=1, alpha=1e30, loss="mse")
    with pytest.raises(DivergedError):
        train(config, tmp_path / "alone")
    callback, _ = raising(TrainingStarted)
    with pytest.raises(Boom):
        train(config, tmp_path / "run", callback)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_in_a_callback_stops_the_run_and_twice_at_once(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("cnntrain.training.interrupts.ECHO_SECONDS", 0)

    def once(event):
        if isinstance(event, BatchEnded) and (event.epoch, event.batch) == (2, 1):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(workers=1), tmp_path / "once", once)
    assert cnntrain.resume(tmp_path / "once", plots=False)["epochs"] == 3

    def twice(event):
        once(event)
        if isinstance(event, BatchEnded) and (event.epoch, event.batch) == (2, 1):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(workers=1), tmp_path / "twice", twice)
    assert cnntrain.resume(tmp_path / "twice", plots=False)["epochs"] == 3


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [(print, r"expected a list of functions, got one: .*print"), ([1], "expected functions, got 1")],
)
def test_no_function(tiny_config, tmp_path, callbacks, message):
    with pytest.raises(UsageError, match=message):
        cnntrain.train(tiny_config(), out=tmp_path / "run", callbacks=callbacks)
    assert not (tmp_path / "run").exists()
