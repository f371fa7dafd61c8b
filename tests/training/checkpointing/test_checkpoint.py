"""Checkpoints are exact to the last bit, and inconsistent ones are rejected."""

import json
import math
import os
import shutil
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnntrain.config import config_from_dict
from cnntrain.errors import CnntrainError, WeightsError
from cnntrain.storage import LineFile
from cnntrain.training.checkpointing.checkpoint import digest, load
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run
from cnntrain.training.state import TrainState
from cnntrain.weights import weights
from cnntrain.weights.safetensors_file import read_header, read_tensors, serialize


@pytest.fixture
def run(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
    list(fit(tiny_config(optimizer="adam", Max=2), tmp_path / "run", plots=False))
    return tmp_path / "run"


@given(
    st.builds(
        TrainState,
        epoch=st.integers(1, 10**9),
        batch=st.integers(0, 10**9),
        loss=st.floats(allow_nan=False),
        seen=st.integers(0, 10**15),
        max_change=st.floats(0),
        best=st.floats(0),
    )
)
def test_progress_comes_back_to_the_bit(state):
    again = TrainState.from_json(json.loads(json.dumps(state.to_json())))
    assert again.to_json() == state.to_json()
    assert math.copysign(1, again.loss) == math.copysign(1, state.loss)


def test_outcome_comes_back_to_the_bit():
    one = Outcome(3, 0.1 + 0.2, 2, 1 / 3)
    assert Outcome.from_json(json.loads(json.dumps(one.to_json())), 3) == one


@given(st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()))
def test_anything_else_is_no_progress(content):
    with pytest.raises(ValueError, match="expected the keys"):
        TrainState.from_json(content)


@pytest.mark.parametrize(
    ("key", "value"),
    [("epoch", "1"), ("epoch", -1), ("batch", 1.0), ("seen", True), ("loss", 1.0), ("best", "many")],
)
def test_values_of_another_kind_are_no_progress(key, value):
    with pytest.raises(ValueError):  # noqa: PT011 - fromhex has words of its own
        TrainState.from_json(TrainState().to_json() | {key: value})


@pytest.mark.parametrize("percent", range(0, 100, 7))
def test_any_flipped_bit_is_found(run, percent):
    path = run / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    at = percent * (len(content) - 1) // 100
    content[at] ^= 1 << percent % 8
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        load(path)


def rewritten(path, change):
    """Change what a checkpoint says, and make its digest fit."""
    tensors, about = read_tensors(path), json.loads(read_header(path).metadata[weights.KEY])
    about.pop("digest")
    change(about["checkpoint"], tensors)
    about["digest"] = digest(tensors, about)
    path.write_bytes(serialize(tensors, {weights.KEY: json.dumps(about)}))


def set_to(*keys, value):
    def change(content, tensors):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_to("progress", value=[]),
        set_to("progress", "epoch", value=0),
        set_to("progress", "batch", value=99),
        set_to("progress", "batch", value=1),
        set_to("progress", "seen", value=7),
        set_to("progress", "loss", value="nan"),
        set_to("progress", "max_change", value="nan"),
        set_to("outcome", value=None),
        set_to("outcome", "best", value="many"),
        set_to("settings", value={"workers": "many"}),
        set_to("settings", value=[]),
        set_to("metrics", value={}),
        set_to("metrics", "length", value=-1),
        set_to("metrics", "length", value="7"),
        set_to("metrics", "digest", value=None),
        set_to("waiting", value=3),
        set_to("data", value={"train samples": {}}),
        set_to("data", value=7),
        set_to("origin", value=[]),
        lambda content, tensors: tensors.pop("checkpoint.states"),
        lambda content, tensors: tensors.update({"checkpoint.states": np.zeros((1, 3), np.float32)}),
        lambda content, tensors: tensors.update({"checkpoint.best": np.zeros(3, np.float32)}),
        lambda content, tensors: tensors.update({"checkpoint.best": tensors["checkpoint.best"].astype(np.float64)}),
        lambda content, tensors: tensors.update({"checkpoint.best": tensors["checkpoint.best"] * np.nan}),
        lambda content, tensors: tensors.update({"checkpoint.more": np.zeros(3, np.float32)}),
        lambda content, tensors: tensors.update({"more": np.zeros(3, np.float32)}),
        lambda content, tensors: tensors.pop("layers.0.b"),
        lambda content, tensors: tensors.update({"checkpoint.before": np.zeros((), np.float32)}),
        lambda content, tensors: tensors.update({"layers.0.W": np.zeros(3, np.float32)}),
        lambda content, tensors: content.clear(),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(run, change):
    rewritten(run / "checkpoint.safetensors", change)
    (run / "checkpoint.previous.safetensors").unlink()
    with pytest.raises(WeightsError) as caught:
        list(resume_run(run, plots=False))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["checkpoint.states", "checkpoint.best", "checkpoint.more", "layers.0.W"])
def test_nothing_is_read_of_tensors_that_do_not_fit(run, name):
    rewritten(run / "checkpoint.safetensors", lambda content, tensors: tensors.update({name: np.zeros((2, 5_000_000))}))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=name):
        load(run / "checkpoint.safetensors")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_network_that_the_file_lacks_is_not_made(run):
    path = run / "checkpoint.safetensors"
    about = json.loads(read_header(path).metadata[weights.KEY])
    about["config"]["network"]["layers"].insert(0, {"conv": {"K": 60_000, "F": 5, "P": 2}})
    path.write_bytes(serialize(read_tensors(path), {weights.KEY: json.dumps(about)}))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"the network has [\d,]+ weights, but the file holds"):
        load(run / "checkpoint.safetensors")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


ODD = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 2**63, 10**400, 1.5, math.nan, math.inf, -1e308, "", "1", "nan", "inf", "-0x1p+0",
        "0x1p+9999", "a\nb", "[1]", "not json", [], [1], ["[1]"], ["not json"], [None], {}, {"epoch": 1},
        {"a\nb": 1}, [[[]]], "x" * 9999,
    ]
)  # fmt: skip


def places_in(content, at=()):
    """The keys that lead to every value inside nested mappings and lists."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from places_in(value, (*at, key))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run of two epochs and a batch that diverges when it resumes, and rolls back: with a line that waits."""
    folder = tmp_path_factory.mktemp("stopped")
    images, labels = np.random.default_rng(0).integers(0, 255, (20, 3, 3), dtype=np.uint8), np.arange(20) % 2
    np.savez(folder / "tiny.npz", images=images, labels=labels)
    content = {
        "data": {"source": "npz", "path": str(folder / "tiny.npz")},
        "network": {"layers": [{"batch_norm": {}}, {"fc": {"units": 2}}]},
        "training": {"batch_size": 6, "Max": 4, "momentum": 0.9, "on_divergence": "rollback", "loss": "mse"},
    }
    stop = Interrupts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
        for event in fit(config_from_dict(content, "a test"), folder / "run", stop, plots=False):
            if (getattr(event, "epoch", 0), getattr(event, "batch", 0)) == (3, 1):
                stop.signal = 2
    (folder / "run" / "checkpoint.previous.safetensors").unlink()

    def change(content, tensors):
        content["waiting"] = (folder / "run" / "metrics.jsonl").read_text().splitlines()[1:]
        content["metrics"] = {"length": 0, "digest": LineFile(folder / "none").mark.digest}
        tensors["checkpoint.states"] = np.full_like(tensors["checkpoint.states"], 1e38)

    rewritten(folder / "run" / "checkpoint.safetensors", change)
    (folder / "run" / "metrics.jsonl").unlink()
    return folder


def resumed(stopped, change):
    """Resume the run after a change of what its checkpoint says; the error, if there is one."""
    folder = stopped / "again"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(stopped / "run", folder)
    rewritten(folder / "checkpoint.safetensors", change)
    try:
        list(resume_run(folder, plots=False))
    except CnntrainError as error:
        return error
    return None


def test_the_checkpoint_that_is_changed_below_rolls_back(stopped):
    assert resumed(stopped, lambda content, tensors: None) is None
    assert json.loads((stopped / "again" / "summary.json").read_text())["rollbacks"] == 1
    lines = (stopped / "again" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines][-1] == 4


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_checkpoint_says_there_is_no_traceback(stopped, quick, data):
    """Each value in turn is something else, and the digest fits."""

    def change(content, tensors):
        at = data.draw(st.sampled_from(list(places_in(content))))
        set_to(*at, value=data.draw(ODD))(content, tensors)

    error = resumed(stopped, change)
    assert error is None or (len(str(error)) < 500 and "\n" not in str(error))
    for name in ("metrics.jsonl", "summary.json"):
        if (stopped / "again" / name).exists():
            text = (stopped / "again" / name).read_text()
            for part in text.splitlines() if name == "metrics.jsonl" else [text]:
                json.loads(part, parse_constant=lambda word: pytest.fail(word))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("waiting",), ["not json"]),
        (("waiting",), ["[1]"]),
        (("waiting",), ['{"epoch": 1}']),
        (("waiting",), ["null"] * 2),
        (("outcome", "best_epoch"), -5),
        (("outcome", "best_epoch"), 3),
        (("outcome", "best_epoch"), 0),
        (("outcome", "best_epoch"), True),
        (("outcome", "best_epoch"), "1"),
        (("outcome", "best"), "nan"),
        (("outcome", "best"), "inf"),
        (("outcome", "seconds"), "nan"),
        (("progress", "seconds"), "inf"),
        (("progress", "best"), "nan"),
        (("progress", "max_change"), "nan"),
        (("progress", "epoch"), 2**61),
        (("progress", "epoch"), 6),
        (("progress", "epochs_without_improvement"), 3),
        (("progress", "rollbacks"), 4),
        (("progress", "restarted_after"), 3),
        (("progress", "correct"), 7),
        (("settings",), {}),
        (("settings", "optimizer"), "adam"),
        (("settings", "momentum"), 0.5),
        (("settings", "dtype"), "float64"),
    ],
)
def test_what_no_run_can_have_come_to_is_refused(stopped, quick, at, value):
    error = resumed(stopped, set_to(*at, value=value))
    assert isinstance(error, WeightsError)
    assert not (stopped / "again" / "metrics.jsonl").exists()


@pytest.mark.parametrize("name", ["checkpoint.before", "checkpoint.best"])
def test_vectors_that_are_needed_are_there(stopped, quick, name):
    error = resumed(stopped, lambda content, tensors: tensors.pop(name))
    assert isinstance(error, WeightsError)


@pytest.mark.parametrize("name", ["checkpoint.before", "checkpoint.best", "checkpoint.states", "layers.1.W"])
@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(stopped, quick, name, odd):
    def change(content, tensors):
        tensors[name] = tensors[name].copy()
        tensors[name].flat[0] = odd

    assert isinstance(resumed(stopped, change), WeightsError)


def test_a_variance_below_0_is_refused(stopped, quick):
    def change(content, tensors):
        tensors["checkpoint.best"] = -np.abs(tensors["checkpoint.best"])

    assert isinstance(resumed(stopped, change), WeightsError)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "write_run_artifacts", lambda *_, **__: iter(()))
