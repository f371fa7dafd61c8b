"""A diverged run: one message, no NumPy warnings, and no non-finite numbers in saved files."""

import json

import numpy as np
import pytest

import cnntrain
from cnntrain.errors import DivergedError
from cnntrain.training.fit import fit

DEEP = [
    {"conv": {"K": 2, "F": 2, "activation": "relu"}},
    {"pool": {"k": 2, "type": "average"}},
    {"fc": {"units": 5, "activation": "elu"}},
    {"fc": {"activation": "softmax"}},
]


def diverge(config, out):
    """Train until it diverges; the sentence and the last event's result."""
    events = []
    with pytest.raises(DivergedError) as caught:
        events.extend(fit(config, out, plots=False))
    assert "\n" not in str(caught.value)
    return str(caught.value), events[-1].result


def assert_told(folder, result):
    """What lies in the folder is JSON by the book, and says what happened."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    summary = json.loads((folder / "summary.json").read_text(), parse_constant=refuse)
    assert summary == result
    assert summary["stop"] == "diverged"
    if (folder / "metrics.jsonl").exists():
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            json.loads(line, parse_constant=refuse)
    for path in folder.glob("*.safetensors"):
        assert all(np.isfinite(value).all() for value in cnntrain.load(path).parameters().values())


@pytest.mark.parametrize("activation", ["identity", "relu", "leaky_relu", "elu", "softplus"])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"l2": 1.0}, {"dtype": "float64", "alpha": 1e300}], ids=str)
def test_huge_alpha_is_told_with_iteration_batch_layer_and_a_mend(tiny_config, tmp_path, activation, options):
    layers = [{kind: dict(entry[kind])} for entry in DEEP for kind in entry]
    layers[0]["conv"]["activation"] = layers[2]["fc"]["activation"] = activation
    config = tiny_config(layers, **({"alpha": 1e30} | options))
    sentence, result = diverge(config, tmp_path / "run")
    assert sentence.startswith("epoch 1, batch 2: the loss is not finite")
    assert any(f"layers[{i}] ({kind})" in sentence for i, kind in [(0, "conv"), (1, "pool"), (2, "fc"), (3, "fc")])
    assert f"training.alpha than {config.training.alpha:g}" in sentence
    assert ("momentum" in sentence) == ("momentum" in options)
    assert (result["epochs"], result["train"], result["test"]) == (0, None, None)
    assert_told(tmp_path / "run", result)


def test_mean_is_proposed_to_who_sums(tiny_config, tmp_path):
    sentence, _ = diverge(tiny_config(DEEP, alpha=1e30, reduction="sum"), tmp_path / "run")
    assert "training.reduction: mean" in sentence


@pytest.mark.parametrize("alpha", [3e38, 1e300])
def test_step_that_overflows_is_told(tiny_config, tmp_path, alpha):
    _, result = diverge(tiny_config(DEEP, alpha=alpha, batch_size="all", momentum=0.9), tmp_path / "run")
    assert_told(tmp_path / "run", result)


@pytest.mark.parametrize("validation", [0, 0.25])
def test_last_step_that_breaks_the_network_is_told(tiny_config, tmp_path, validation):
    """The weights are finite after it, but no loss is."""
    config = tiny_config(DEEP, data={"validation": validation}, alpha=1e20, batch_size="all", Max=1)
    sentence, result = diverge(config, tmp_path / "run")
    assert "epoch 1" in sentence
    assert_told(tmp_path / "run", result)


def test_iterations_before_are_kept(tiny_config, tmp_path):
    """Squares and a step too large: every epoch multiplies the weights until float32 ends."""
    layers = [{"conv": {"K": 2, "F": 2}}, {"fc": {"units": 3}}]
    config = tiny_config(layers, alpha=1.0, batch_size="all", Max=1000, reduction="sum")
    config_short = tiny_config(layers, alpha=1.0, batch_size="all", Max=1, reduction="sum")
    sentence, result = diverge(config, tmp_path / "run")
    assert 1 <= result["epochs"] < 1000
    assert sentence.startswith(f"after epoch {result['epochs'] + 1}, batch 1: the train loss is not finite")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == result["epochs"]
    for event in fit(config_short, tmp_path / "short", plots=False):
        last = event
    assert last.result["stop"] == "max"
    best = cnntrain.load(tmp_path / "run" / "best.safetensors").parameters()
    for name, value in cnntrain.load(tmp_path / "short").parameters().items():
        np.testing.assert_array_equal(best[name], value)  # the first epoch was the best
    assert_told(tmp_path / "run", result)
