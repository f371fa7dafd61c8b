"""Checkpoints hold what they are given to the last bit, and believe nothing that does not fit."""

import json
import math
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain import weights
from cnntrain.errors import WeightsError
from cnntrain.tensors import read_header, read_tensors, serialise
from cnntrain.training import fit, go_on
from cnntrain.training.keeping.checkpoint import digest, load
from cnntrain.training.keeping.outcome import Outcome
from cnntrain.training.progress import Progress


@pytest.fixture
def run(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("cnntrain.training.fit"), "complete", lambda *_, **__: iter(()))
    list(fit(tiny_config(optimizer="adam", Max=2), tmp_path / "run"))
    return tmp_path / "run"


@given(
    st.builds(
        Progress,
        iteration=st.integers(1, 10**9),
        batch=st.integers(0, 10**9),
        loss=st.floats(allow_nan=False),
        seen=st.integers(0, 10**15),
        max_change=st.floats(0),
        best=st.floats(0),
    )
)
def test_progress_comes_back_to_the_bit(here):
    again = Progress.from_json(json.loads(json.dumps(here.to_json())))
    assert again.to_json() == here.to_json()
    assert math.copysign(1, again.loss) == math.copysign(1, here.loss)


def test_outcome_comes_back_to_the_bit():
    one = Outcome(3, 0.1 + 0.2, 2, 1 / 3)
    assert Outcome.from_json(json.loads(json.dumps(one.to_json())), 3) == one


@given(st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()))
def test_anything_else_is_no_progress(content):
    with pytest.raises(ValueError, match="expected the keys"):
        Progress.from_json(content)


@pytest.mark.parametrize(
    ("key", "value"),
    [("iteration", "1"), ("iteration", -1), ("batch", 1.0), ("seen", True), ("loss", 1.0), ("best", "many")],
)
def test_values_of_another_kind_are_no_progress(key, value):
    with pytest.raises(ValueError):  # noqa: PT011 - fromhex has words of its own
        Progress.from_json(Progress().to_json() | {key: value})


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_any_flipped_bit_is_found(run, place):
    path = run / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    at = place * (len(content) - 1) // 100
    content[at] ^= 1 << place % 8
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        load(path)


def rewritten(path, change):
    """Change what a checkpoint says, and make its digest fit."""
    tensors, about = read_tensors(path), json.loads(read_header(path).metadata[weights.KEY])
    about.pop("digest")
    change(about["checkpoint"], tensors)
    about["digest"] = digest(tensors, about)
    path.write_bytes(serialise(tensors, {weights.KEY: json.dumps(about)}))


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
        set_to("progress", "iteration", value=0),
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
        list(go_on(run))
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
    path.write_bytes(serialise(read_tensors(path), {weights.KEY: json.dumps(about)}))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"the network has [\d,]+ weights, but the file holds"):
        load(run / "checkpoint.safetensors")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
