"""The gradient check passes what is right and sees what is wrong."""

import numpy as np
import pytest

import cnntrain
from cnntrain.config.schema.layers import ActivationName
from cnntrain.errors import UsageError
from cnntrain.layers.activation import Activation
from cnntrain.layers.conv import Conv
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import MaxPool
from cnntrain.network.network import Network

SMALL = [
    {"conv": {"K": 2, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 3, "activation": "softmax"}},
]
INPUT = (2, 6, 7)

RIGHT = {
    "strides and padding": [
        {"conv": {"K": 3, "F": 3, "P": 2, "S": 2, "activation": "relu"}},
        {"conv": {"K": 2, "F": 2, "P": 2, "S": 3, "activation": "tanh"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "pools that overlap and that leave gaps": [
        {"pool": {"k": 3, "S": 1, "type": "max"}},
        {"conv": {"K": 2, "F": 1, "activation": "sigmoid"}},
        {"pool": {"k": 1, "S": 2, "type": "average"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "many channels": [
        {"conv": {"K": 16, "F": 1, "activation": "tanh"}},
        {"conv": {"K": 16, "F": 3, "P": 1, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"fc": {"units": 3, "activation": "softmax"}},
    ],
    "windows that see only padding": [
        {"conv": {"K": 2, "F": 2, "P": 2, "S": 3, "activation": "relu"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "no conv": [{"fc": {"units": 6, "activation": "elu"}}, {"fc": {"units": 4, "activation": "softmax"}}],
    "normalized after every layer": [
        {"batch_norm": {"activation": "elu"}},
        {"conv": {"K": 3, "F": 3, "P": 1}},
        {"batch_norm": {"activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"dropout": {"rate": 0.2}},
        {"conv": {"K": 4, "F": 2, "activation": "relu"}},
        {"batch_norm": {}},
        {"pool": {"k": "all", "type": "max"}},
        {"batch_norm": {}},
        {"fc": {"units": 6}},
        {"batch_norm": {"activation": "relu"}},
        {"dropout": {}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "deep and normalized": [
        *([{"conv": {"K": 4, "F": 3, "P": 1}}, {"batch_norm": {"activation": "relu"}}] * 8),
        {"pool": {"k": "all", "type": "average"}},
        *([{"fc": {"units": 12}}, {"batch_norm": {"activation": "relu"}}] * 3),
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "a gradient of exactly 0: a bias whose mean is taken off again": [
        {"conv": {"K": 2, "F": 2}},
        {"pool": {"k": 2, "type": "average"}},
        {"batch_norm": {"activation": "tanh"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "image at the end": [{"conv": {"K": 2, "F": 3}}, {"pool": {"k": 2, "type": "average"}}],
}


@pytest.fixture
def small(make_config):
    return make_config(SMALL, INPUT)


def assert_proven(result):
    assert result["passed"] is True
    assert result["worst"] == max(tensor["max_relative_error"] for tensor in result["tensors"])
    assert result["worst"] < result["threshold"] == 1e-6
    assert [tensor["name"] for tensor in result["tensors"] if not tensor["checked"]] == []


@pytest.mark.parametrize("layers", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_right_networks_pass(make_config, layers, reduction):
    assert_proven(cnntrain.gradcheck(make_config(layers, INPUT, reduction=reduction), samples=10))


@pytest.mark.parametrize("batch_size", [2, 3, "all"])
def test_batch_norm_is_checked_over_several_samples_whatever_the_batch_size(make_config, batch_size):
    layers = [{"fc": {"units": 5}}, {"batch_norm": {}}, {"fc": {"units": 3, "activation": "softmax"}}]
    config = make_config(layers, INPUT, batch_size=batch_size)
    assert_proven(cnntrain.gradcheck(config, samples=5))
    assert not cnntrain.gradcheck(config, samples=5, inject=["layers.1:no_mean"])["passed"]


@pytest.mark.parametrize("activation", ActivationName.__args__)
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_every_activation_and_loss_passes(make_config, activation, loss):
    layers = [
        {"conv": {"K": 2, "F": 3, "activation": activation}},
        {"pool": {"k": 2, "type": "max"}},
        {"fc": {"units": 4, "activation": activation}},
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    assert_proven(cnntrain.gradcheck(make_config(layers, INPUT, loss=loss), samples=8))


@pytest.mark.parametrize("penalties", [{"l1": 0.01}, {"l2": 0.1}, {"l1": 0.1, "l2": 0.01}], ids=str)
def test_penalties_pass(make_config, penalties):
    assert_proven(cnntrain.gradcheck(make_config(SMALL, INPUT, **penalties)))


def test_result_names_every_tensor_and_the_input(small):
    result = cnntrain.gradcheck(small, samples=4)
    sizes = {name: value.size for name, value in cnntrain.build(small).parameters().items()} | {"input": 3 * 2 * 6 * 7}
    assert {tensor["name"]: tensor["entries"] for tensor in result["tensors"]} == sizes
    assert result.keys() == {"passed", "worst", "threshold", "tensors", "faults"}
    assert result["faults"] == []
    keys = {"name", "entries", "checked", "kinks", "max_relative_error"}
    assert all(tensor.keys() == keys for tensor in result["tensors"])


def test_samples_all_checks_every_entry(small):
    for tensor in cnntrain.gradcheck(small, samples="all")["tensors"]:
        assert tensor["checked"] + tensor["kinks"] >= tensor["entries"]
    few = cnntrain.gradcheck(small, samples=5)["tensors"]
    assert all(tensor["checked"] + tensor["kinks"] < 12 for tensor in few)


def test_config_of_float32_is_checked_in_float64(make_config):
    # In float32 no difference quotient comes near 1e-6.
    result = cnntrain.gradcheck(make_config(SMALL, INPUT, dtype="float32"))
    assert result["worst"] < 1e-7


def test_same_config_gives_the_same_result(small):
    assert cnntrain.gradcheck(small) == cnntrain.gradcheck(small)


def spoil(monkeypatch, layer_class, change):
    """Make what every layer of a class hands back wrong: ``change(delta_prev, grads)`` returns the new delta_prev."""
    backward = layer_class.backward

    def wrong(self, delta, cache, grads, want_delta=True):
        return change(backward(self, delta, cache, grads, want_delta), grads)

    monkeypatch.setattr(layer_class, "backward", wrong)


def scale_largest(array, factor):
    array[np.unravel_index(np.abs(array).argmax(), array.shape)] *= factor


@pytest.mark.parametrize(("layer_class", "key"), [(Conv, "W"), (Fc, "W"), (Activation, "b")])
def test_one_entry_of_one_tensor_wrong_by_a_ten_thousandth_is_caught(small, monkeypatch, layer_class, key):
    spoil(monkeypatch, layer_class, lambda delta, grads: scale_largest(grads[key], 1 + 1e-4) or delta)
    result = cnntrain.gradcheck(small, samples="all")
    assert not result["passed"]
    assert result["worst"] > 1e-5


@pytest.mark.parametrize("layer_class", [Conv, Fc, MaxPool])
def test_one_entry_of_delta_wrong_is_caught(make_config, monkeypatch, layer_class):
    config = make_config([{"conv": {"K": 2, "F": 2}}, *SMALL], INPUT)
    assert cnntrain.gradcheck(config)["passed"]
    spoil(monkeypatch, layer_class, lambda delta, grads: scale_largest(delta, 1.01) or delta)
    assert not cnntrain.gradcheck(config, samples="all")["passed"]


def test_directions_see_entries_that_were_not_drawn(make_config, monkeypatch):
    config = make_config(RIGHT["no conv"], INPUT)
    spoil(monkeypatch, Fc, lambda delta, grads: scale_largest(grads["W"], 1.01) or delta)
    result = cnntrain.gradcheck(config, samples=1)
    assert result["tensors"][0]["entries"] > 500
    assert not result["passed"]


def test_bias_gradient_left_out_is_caught(small, monkeypatch):
    spoil(monkeypatch, Activation, lambda delta, grads: grads["b"].fill(0) or delta)
    failed = [tensor["name"] for tensor in cnntrain.gradcheck(small)["tensors"] if tensor["max_relative_error"] > 1e-3]
    assert failed == ["layers.0.b", "layers.2.b"]


@pytest.mark.parametrize("samples", [0, -1])
def test_number_of_samples_is_checked(small, samples):
    with pytest.raises(UsageError, match=f"got {samples}"):
        cnntrain.gradcheck(small, samples=samples)


@pytest.mark.parametrize("threshold", [0, -1e-6, float("nan"), float("inf")])
def test_threshold_is_checked(small, threshold):
    with pytest.raises(UsageError, match=f"got {threshold}"):
        cnntrain.gradcheck(small, threshold=threshold)


def test_threshold_decides(small):
    result = cnntrain.gradcheck(small, threshold=1.5, inject=["layers.0:no_flip"])  # no relative error exceeds 1
    assert result["passed"]
    assert result["threshold"] == 1.5


def test_file_and_overrides_are_taken(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("network: {input: [1, 4, 4], layers: [conv: {K: 2, F: 3}, fc: {units: 2, activation: softmax}]}")
    for config in (path, str(path)):
        tensors = cnntrain.gradcheck(config, ["network.layers.0.conv.K=5"], samples=3)["tensors"]
        assert tensors[0] | {"max_relative_error": 0} == {
            "name": "layers.0.W",
            "entries": 45,
            "checked": 6,
            "kinks": 0,
            "max_relative_error": 0,
        }


def test_progress_is_told(small):
    calls = []
    cnntrain.gradcheck(small, samples=2, progress=lambda *step: calls.append(step))
    assert calls[:5] == [("layers.0.W", done, 5) for done in range(1, 6)]
    assert calls[-1] == ("input", 5, 5)


TERMS = [
    {"label_smoothing": 0.1},
    {"class_weights": [0.5, 3.0, 1.0]},
    {"class_weights": "balanced", "label_smoothing": 0.3},
]


@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_smoothed_labels_and_class_weights_are_checked(make_config, terms):
    assert_proven(cnntrain.gradcheck(make_config(SMALL, INPUT, **terms)))


@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_a_delta_without_them_is_seen(make_config, monkeypatch, terms):
    """The forward pass with them, the backward pass as if there were none."""
    compute_loss = Network.compute_loss

    def forgetful(network, output, y, loss_of=None):
        return *compute_loss(network, output, y, loss_of)[:2], compute_loss(network, output, y)[2]

    monkeypatch.setattr(Network, "compute_loss", forgetful)
    assert cnntrain.gradcheck(make_config(SMALL, INPUT, **terms))["worst"] > 1e-3
