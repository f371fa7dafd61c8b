"""What ``import cnntrain`` offers, and what it costs."""

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest

import cnntrain

NAMES = ["CnntrainError", "build", "evaluate", "gradcheck", "load", "load_config", "load_data", "resume", "train"]


def test_names_are_there_with_docstrings():
    assert sorted(cnntrain.__all__) == NAMES
    for name in NAMES:
        assert inspect.getdoc(getattr(cnntrain, name))
    assert inspect.getdoc(cnntrain)


def test_completion_in_a_shell_shows_what_there_is():
    assert dir(cnntrain) == sorted([*NAMES, "__version__"])


def test_version_is_that_of_the_package():
    assert cnntrain.__version__.split(".")[0].isdigit()


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'cnntrain' has no attribute 'trian'"):
        cnntrain.trian  # noqa: B018


def test_importing_loads_nothing_heavy():
    program = "import cnntrain, sys; print([m for m in ('numpy', 'pydantic', 'yaml', 'rich') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_every_error_of_the_package_is_a_CnntrainError_with_its_exit_code():
    from cnntrain import errors

    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    expected = {
        "CnntrainError": 2,
        "ConfigError": 2,
        "ShapeError": 2,
        "UsageError": 2,
        "GradientError": 3,
        "DataError": 4,
        "WeightsError": 5,
        "DivergedError": 6,
    }
    assert found | expected == found
    assert all(issubclass(getattr(errors, name), cnntrain.CnntrainError) for name in found)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "digits.yaml"
    path.write_text(
        "data: {source: digits, validation: 0.1}\n"
        "network:\n  layers:\n    - conv: {K: 4, F: 3, activation: relu}\n    - pool: {k: 2, type: max}\n"
        "    - fc: {activation: softmax}\n"
        "training: {Max: 2, batch_size: 64, momentum: 0.9}\n"
    )
    return cnntrain.load_config(path, ["training.seed=3"])


def test_a_whole_session(config, tmp_path, capfd):
    network = cnntrain.build(config, dtype="float64")
    x, y = np.random.default_rng(0).normal(size=(5, 1, 8, 8)), np.arange(5)
    loss, grads, dx = network.loss_and_gradients(x, y)
    assert loss > 0
    assert grads.keys() == network.parameters().keys()
    assert dx.shape == x.shape
    assert network.forward(x).shape == (5, 10)
    network.set_parameters(network.parameters())

    run = cnntrain.train(config, out=tmp_path / "run", plots=False)
    assert run == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert cnntrain.evaluate(tmp_path / "run")["accuracy"] == run["test"]["accuracy"] > 0.5
    assert cnntrain.gradcheck(config, samples=2)["passed"]
    assert cnntrain.gradcheck(tmp_path / "run", samples=2)["passed"]
    assert cnntrain.load(tmp_path / "run").forward(x).dtype == np.float32
    captured = capfd.readouterr()
    assert captured.out == ""
    batches = 2 * -(-run["train"]["samples"] // 64)
    assert f"{batches}/{batches}" in captured.err  # tqdm's bar, at its end


def test_out_may_be_text(config, tmp_path):
    assert cnntrain.train(config, out=str(tmp_path / "run"), plots=False)["run"] == str(tmp_path / "run")


PLAIN = {
    "data": {"source": "digits"},
    "network": {"layers": [{"fc": {"activation": "softmax"}}]},
    "training": {"epochs": 1, "workers": 1},
}


@pytest.mark.parametrize("kind", ["path", "text", "dict", "Config"])
def test_a_config_is_a_path_a_dict_or_a_Config(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plain.yaml"
    path.write_text(json.dumps(PLAIN))
    config = {"path": path, "text": "plain.yaml", "dict": PLAIN, "Config": cnntrain.load_config(path)}[kind]
    network = cnntrain.build(config)
    assert network.out_shape == (10,)
    assert len(cnntrain.load_data(config).test) == 360
    assert cnntrain.gradcheck(config, samples=2)["passed"]
    run = cnntrain.train(config, plots=False)
    assert run["run"] == ("runs/run" if kind == "dict" else "runs/plain")
    assert run["epochs"] == 1


def test_the_name_of_a_bundled_config():
    assert cnntrain.build("digits").in_shape == (1, 8, 8)


def test_mistakes_in_a_dict_are_named_by_their_keys():
    wrong = PLAIN | {"training": {"epoch": 3, "alpha": "fast"}}
    with pytest.raises(cnntrain.CnntrainError) as caught:
        cnntrain.train(wrong)
    assert sorted(line.partition(": expected")[0] for line in str(caught.value).splitlines()) == [
        "config: training.alpha",
        "config: training: unknown key 'epoch'; did you mean 'Max'?",
    ]
    with pytest.raises(
        cnntrain.CnntrainError, match=r"config: expected a path, a name such as digits, or a dict, got 3"
    ):
        cnntrain.build(3)


def test_overrides_of_a_dict():
    assert cnntrain.load_config(PLAIN, ["training.epochs=7"]).training.Max == 7


def test_a_config_shows_as_its_yaml(config):
    import yaml

    assert yaml.safe_load(repr(config)) == config.resolved()
    assert str(config) == repr(config)
    assert cnntrain.load_config(yaml.safe_load(repr(config))) == config
    hostile = cnntrain.load_config(PLAIN | {"data": {"source": "npz", "path": "<script>&.npz"}})
    assert "&lt;script&gt;&amp;.npz" in hostile._repr_html_()
    assert "<script>" not in hostile._repr_html_()


def test_completion_shows_what_users_need(config):
    assert dir(config) == ["data", "name", "network", "resolved", "training"]
    assert {"alpha", "Max", "batch_size"} <= set(dir(config.training))
    for thing in (config, config.training, cnntrain.build(config)):
        assert not [name for name in dir(thing) if name.startswith(("_", "model_"))]
        assert all(hasattr(thing, name) for name in dir(thing))
