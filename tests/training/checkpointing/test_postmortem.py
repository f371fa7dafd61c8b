"""What a run that diverges leaves, and going there again."""

import json
from pathlib import Path

import pytest

import cnntrain
from cnntrain.config import config_from_dict
from cnntrain.errors import DivergedError, ReplayError, UsageError, WeightsError
from cnntrain.training.checkpointing.replay import replay

LAYERS = [
    {"conv": {"K": 2, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 10, "activation": "softmax"}},
]


def diverge(folder: Path, **training) -> Path:
    options = {"alpha": 1e25, "Max": 3, "batch_size": 200, "workers": 1} | training
    config = {"data": {"source": "digits"}, "network": {"layers": LAYERS}, "training": options}
    with pytest.raises(DivergedError):
        cnntrain.train(config_from_dict(config, "a test"), folder, plots=False)
    return folder


def report_of(run: Path) -> dict:
    return json.loads((run / "postmortem" / "report.json").read_text(encoding="utf-8"))


def test_report_names_step_tensor_samples_and_sizes(tmp_path):
    report = report_of(diverge(tmp_path / "a"))
    assert (report["epoch"], report["batch"]) == (1, 2)
    assert report["sentence"].startswith("epoch 1, batch 2: the loss is not finite")
    assert report["first_not_finite"] == "layers.2.output"
    assert len(set(report["samples"])) == 200
    assert report["files"] is None
    assert [row["name"] for row in report["parameters"]] == ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"]
    assert {row["not_finite"] for row in report["parameters"]} == {0}
    first, *_, last = report["outputs"]
    assert (first["not_finite"], first["greatest_size"] > 1e20) == (0, True)
    assert last["not_finite"] > 0
    (step,) = report["last_steps"]
    assert (step["epoch"], step["batch"], 2 < step["loss"] < 4) == (1, 1, True)


def test_weights_that_overflow_are_named(tmp_path):
    report = report_of(diverge(tmp_path / "a", alpha=3e38, reduction="sum"))
    assert report["first_not_finite"] == "layers.0.W"


@pytest.mark.parametrize("workers", [1, 2])
def test_replay_goes_to_the_same_end_and_leaves_the_run_as_it_is(tmp_path, workers):
    run = diverge(tmp_path / "a", alpha=1e17, momentum=0.9, workers=workers, checkpoint_every="3 batches")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    found = replay(run)
    assert found.pop("steps") >= 1
    losses = found.pop("last_steps")
    report = report_of(run)
    assert losses == report.pop("last_steps")[-len(losses) :]
    assert found == report
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_replay_tells_where_it_comes_out_elsewhere(tmp_path):
    run = diverge(tmp_path / "a")
    path = run / "postmortem" / "report.json"
    path.write_text(json.dumps(report_of(run) | {"sentence": "another"}), encoding="utf-8")
    with pytest.raises(ReplayError, match="diverged differently"):
        replay(run)
    path.write_text(json.dumps(report_of(run) | {"epoch": 0}), encoding="utf-8")
    with pytest.raises(ReplayError, match="did not diverge again in epoch 0, batch 2"):
        replay(run)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"sentence": 1, "epoch": 1, "batch": 1}', 3000 * "["])
def test_replay_of_a_malformed_report_is_refused(tmp_path, content):
    (tmp_path / "postmortem").mkdir()
    (tmp_path / "postmortem" / "report.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="not a report"):
        replay(tmp_path)


def test_replay_needs_a_run_that_diverged_and_its_checkpoint(tmp_path):
    with pytest.raises(UsageError, match="only a run that diverged can be replayed"):
        replay(tmp_path)
    run = diverge(tmp_path / "a")
    (run / "postmortem" / "checkpoint.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors"):
        replay(run)
