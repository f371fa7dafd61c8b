"""The configs that come with cnntrain: each can be used as it is, and reaches what it promises."""

import os
import re
from pathlib import Path

import pytest

import cnntrain
from cnntrain.errors import UsageError
from cnntrain.gradient_check.fault_injection import FAULTS
from cnntrain.network.summary import describe

CONFIGS = Path(__file__).parent.parent / "configs"
every_config = pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)


@pytest.fixture
def mnist() -> str:
    """An override that says where the real MNIST is; tests that need it are skipped where there is none."""
    if "CNNTRAIN_DATA" not in os.environ:
        pytest.skip("CNNTRAIN_DATA, the folder of real data sets, is not set")
    return f"data.path={Path(os.environ['CNNTRAIN_DATA']) / 'mnist'}"


def test_the_promised_configs_are_there():
    assert {"article", "digits", "mnist_lenet5", "mnist"} <= {path.stem for path in CONFIGS.glob("*.yaml")}


@every_config
def test_it_begins_with_what_it_reaches_and_in_how_long(path):
    comment = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8")).group()
    assert re.search(r"\d+(\.\d+)? %", comment)
    assert re.search(r"second|minute|epoch", comment)


@every_config
def test_it_builds_and_is_described_without_its_data(path, tmp_path):
    config = cnntrain.load_config(path)
    if config.data.source != "digits":
        config = cnntrain.load_config(path, [f"data.path={tmp_path / 'nowhere'}"])
    result = describe(cnntrain.build(config))
    assert len(result["layers"]) == len(config.network.layers)
    assert not any(row["notes"] for row in result["layers"])


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.slow if path.stem.startswith("cifar10") else (), id=path.stem)
        for path in sorted(CONFIGS.glob("*.yaml"))
    ],
)
def test_its_gradients_are_right(path):
    result = cnntrain.gradcheck(path, samples=5)
    assert result["passed"]
    assert result["worst"] < 1e-6


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["article", "digits", pytest.param("mnist_lenet5", marks=pytest.mark.slow)])
def test_every_fault_in_it_is_caught(name, fault):
    config = cnntrain.load_config(CONFIGS / f"{name}.yaml")
    caught = 0
    for index in range(len(config.network.layers)):
        try:
            result = cnntrain.gradcheck(config, samples=1, inject=[f"layers.{index}:{fault}"])
        except UsageError:  # it would change nothing there
            continue
        assert not result["passed"]
        caught += 1
    kinds = {entry.kind for entry in config.network.layers}
    needs = {"no_mean": "batch_norm", "no_skip": "residual", "overwrite": "overlapping pools"}
    assert bool(caught) == (needs.get(fault) is None or needs[fault] in kinds)


def test_article_stops_by_epsilon(tmp_path):
    result = cnntrain.train(cnntrain.load_config(CONFIGS / "article.yaml"), tmp_path / "run", plots=False)
    assert result["stop"] == "epsilon"
    assert result["epochs"] > 10
    assert result["test"]["accuracy"] > 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_digits_are_learned(tmp_path, seed):
    config = cnntrain.load_config(CONFIGS / "digits.yaml", [f"training.seed={seed}"])
    result = cnntrain.train(config, tmp_path / "run", plots=False)
    assert result["test"]["samples"] == 360
    assert result["test"]["accuracy"] >= 0.97


@pytest.mark.slow
def test_lenet_learns_real_mnist_in_one_pass(tmp_path, mnist):
    config = cnntrain.load_config(CONFIGS / "mnist_lenet5.yaml", [mnist, "training.Max=1"])
    result = cnntrain.train(config, tmp_path / "run", plots=False)
    assert (result["train"]["samples"], result["test"]["samples"]) == (60000, 10000)
    assert result["test"]["accuracy"] > 0.95
    assert cnntrain.evaluate(tmp_path / "run")["loss"] == result["test"]["loss"]
