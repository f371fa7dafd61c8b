"""Today's code reads, evaluates and resumes a run that an earlier version wrote."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import cnntrain
from cnntrain.weights.weights import load_saved

spec = importlib.util.spec_from_file_location("saved_run", Path(__file__).with_name("saved_run.py"))
saved_run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(saved_run)


@pytest.fixture
def run(tmp_path) -> Path:
    return Path(shutil.copytree(saved_run.FOLDER, tmp_path / "run"))


@pytest.mark.parametrize("source", [".", "weights.safetensors", "checkpoint.safetensors"])
def test_weights_give_the_same_outputs(run, source):
    model = cnntrain.load(run / source)
    assert model.classes == tuple("0123456789")
    expected = json.loads((run / saved_run.OUTPUTS).read_text())
    np.testing.assert_allclose(model.outputs(saved_run.image()[None, None])[0], expected, rtol=1e-4, atol=1e-6)


def test_config_is_the_one_of_the_run(run):
    stored = load_saved(run).config.resolved()
    written = cnntrain.load_config(run / "config.yaml").resolved()
    for section, entries in saved_run.CONFIG.items():
        for key, value in entries.items():
            if key not in ("layers", "workers"):
                assert written[section][key] == stored[section][key] == value
    assert written["network"] == stored["network"]


def test_evaluation_agrees_with_the_metrics_of_the_run(run):
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    report = cnntrain.evaluate(run, split="validation")
    assert report["loss"] == pytest.approx(last["validation_loss"], rel=1e-3)
    assert report["accuracy"] == pytest.approx(last["validation_accuracy"], abs=2 / report["samples"])


@pytest.mark.filterwarnings("ignore:.*the last bits may differ:UserWarning")
def test_the_run_resumes(run):
    before = cnntrain.load(run).parameters()
    result = cnntrain.resume(run, ["training.Max=3"], plots=False)
    assert (result["stop"], result["epochs"]) == ("max", 3)
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3
    after = cnntrain.load(run).parameters()
    assert before.keys() == after.keys()
    assert all((before[name] != after[name]).any() for name in before)
