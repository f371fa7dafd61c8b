"""A dry run: all that a run begins with, and nothing left behind."""

import pytest

import cnntrain
from cnntrain.builder import build_for, load_config_data
from cnntrain.errors import DataError, ShapeError
from cnntrain.network.summary import describe
from cnntrain.profiling import dry_run as module
from cnntrain.profiling.dry_run import dry_run
from cnntrain.training.footprint import footprint


@pytest.fixture(autouse=True)
def few_steps(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "SECONDS", 0)
    monkeypatch.chdir(tmp_path)


def test_it_tells_what_a_run_would_begin_with(tiny_config, tmp_path):
    config = tiny_config(data={"validation": 0.25}, Max=4, workers=1)
    before = sorted(tmp_path.iterdir())
    result = dry_run(config)
    assert sorted(tmp_path.iterdir()) == before
    data = load_config_data(config)
    network = build_for(config, data)
    description = describe(network)
    assert {key: result[key] for key in description} == description
    assert result["memory_bytes"] == footprint(config, network, data, 1).total
    assert result["multiply_adds"] == sum(layer["multiply_adds"] for layer in result["layers"]) > 0
    assert result["samples"] == {"train": 30, "validation": 10, "test": 12}
    assert (result["input_shape"], result["classes"]) == ([1, 5, 5], ["0", "1", "2"])
    assert (result["batch_size"], result["batches"], result["workers"], result["Max"]) == (16, 2, 1, 4)
    assert (result["micro_batches"], result["max_processes"]) == (1, 1)


def test_the_estimate_follows_from_a_step(tiny_config, monkeypatch):
    monkeypatch.setattr(module, "time_steps", lambda *args: args[-1].durations.append(0.5))
    result = dry_run(tiny_config(data={"validation": 0.25}, Max=4, workers=1))
    assert result["step_ms"] == 500
    assert result["seconds_per_epoch"] == pytest.approx((30 + 10 / 3) / 16 * 0.5)
    assert result["seconds_to_Max"] == pytest.approx(4 * result["seconds_per_epoch"])


def test_the_whole_set_can_be_a_batch_and_workers_are_those_of_the_run(tiny_config):
    result = dry_run(tiny_config(batch_size="all", workers=2))
    assert (result["batch_size"], result["batches"], result["workers"]) == (40, 1, 2)
    assert (result["micro_batches"], result["max_processes"]) == (1, 1)
    assert 0 < result["seconds_per_epoch"] < 5


def test_what_a_run_would_not_begin_with_is_told(make_config, tiny_config, tmp_path):
    with pytest.raises(ShapeError):
        dry_run(tiny_config([{"conv": {"K": 1, "F": 9}}, {"fc": {"activation": "softmax"}}]))
    with pytest.raises(DataError):
        dry_run(make_config([{"fc": {"activation": "softmax"}}], data={"source": "idx", "path": str(tmp_path / "no")}))


def test_training_after_it_is_what_it_would_have_been(tiny_config, tmp_path):
    config = tiny_config(Max=1, workers=1)
    cnntrain.train(config, tmp_path / "a", plots=False)
    dry_run(config)
    cnntrain.train(config, tmp_path / "b", plots=False)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "ab")
    assert a == b
