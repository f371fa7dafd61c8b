"""What ``train`` returns: a dict with history, plot and network."""

import json
import pickle
import sys

import numpy as np
import pytest

import cnntrain
from cnntrain.errors import UsageError


@pytest.fixture
def run(tiny_config, tmp_path):
    return cnntrain.train(tiny_config(Max=4, data={"validation": 0.2}), out=tmp_path / "run", plots=False)


def test_it_is_the_summary_as_a_dict(run, tmp_path):
    assert run == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert json.loads(json.dumps(run)) == run
    assert pickle.loads(pickle.dumps(run)) == run


def test_history_has_the_figures_of_metrics_jsonl_as_arrays(run, tmp_path):
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert list(run.history) == list(rows[0])
    for name, values in run.history.items():
        assert values.tolist() == [row[name] for row in rows], name
        assert values.dtype == (np.int64 if name == "epoch" else np.float64)


def test_a_missing_figure_is_nan(tiny_config, tmp_path):
    run = cnntrain.train(tiny_config(Max=2), out=tmp_path / "run", plots=False)
    assert np.isnan(run.history["validation_loss"]).tolist() == [True, True]
    assert np.isfinite(run.history["train_loss"]).all()


def test_the_network_is_that_of_the_last_epoch(run, tmp_path):
    loaded = cnntrain.load(tmp_path / "run")
    assert all(np.array_equal(value, loaded.parameters()[name]) for name, value in run.network.parameters().items())
    assert run.network is run.network


def test_plot_is_a_figure_without_pyplot(run, monkeypatch):
    before = {name for name in sys.modules if name == "matplotlib.pyplot"}
    figure = run.plot()
    assert {name for name in sys.modules if name == "matplotlib.pyplot"} == before
    loss, accuracy = figure.axes
    assert np.allclose(loss.lines[0].get_ydata(), run.history["train_loss"])
    assert [line.get_label() for line in accuracy.lines] == ["train", "validation"]
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_functions_that_take_a_run_folder_take_a_run(run):
    assert cnntrain.evaluate(run)["accuracy"] == run["test"]["accuracy"]
    assert cnntrain.load(run).in_shape == (1, 5, 5)
    assert cnntrain.gradcheck(run, samples=2)["passed"]
    again = cnntrain.resume(run, ["training.Max=5"], plots=False)
    assert again["epochs"] == 5 == len(again.history["epoch"])


def test_a_folder_that_is_gone_is_a_sentence(run, tmp_path):
    (tmp_path / "run").rename(tmp_path / "moved")
    for use in (lambda: run.history, run.plot):
        with pytest.raises(UsageError, match=r"run: there are no figures of any epoch"):
            use()
    with pytest.raises(cnntrain.CnntrainError, match="run"):
        _ = run.network
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("{\n")
    with pytest.raises(UsageError, match=r"run: the figures of the run cannot be read: "):
        _ = run.history


def test_completion(run):
    assert dir(run) == ["get", "history", "items", "keys", "network", "plot", "values"]
