"""Diagnostics of the layers."""

import numpy as np
import pytest

import cnntrain
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.training.diagnostics import diagnose_layers
from cnntrain.training.samples import TrainingSamples

LAYERS = [
    {"conv": {"K": 4, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 6, "activation": "sigmoid"}},
    {"fc": {"units": 5, "activation": "tanh"}},
    {"fc": {"activation": "softmax", "units": 3}},
]


@pytest.fixture
def network(make_config):
    return cnntrain.build(make_config(LAYERS, (1, 6, 6), dtype="float64"))


@pytest.fixture
def samples(make_config):
    rng = np.random.default_rng(0)
    images = Dataset(rng.integers(0, 256, (10, 1, 6, 6), "uint8"), rng.integers(0, 3, 10))
    data = Data(images, None, None, tuple("abc"), Preprocessing.none(1))
    return TrainingSamples(data, make_config(LAYERS, (1, 6, 6)).training)


def test_sizes_are_those_of_the_weights_and_of_their_gradients(network, samples):
    before = network.theta.copy()
    rows = diagnose_layers(network, samples, 1)
    np.testing.assert_array_equal(network.theta, before)
    count = network.micro_batches(10)[0].stop
    memory = network.workspace(count)
    y = samples.load(memory, 1, np.arange(count))
    _, gradients, _ = network.loss_and_gradients(memory.x.transpose(3, 1, 0, 2).copy(), y)
    assert [(row.name, row.kind) for row in rows] == [
        ("layers.0", "conv"),
        ("layers.2", "fc"),
        ("layers.3", "fc"),
        ("layers.4", "fc"),
    ]
    for row in rows:
        W, dW = (np.abs(values[f"{row.name}.W"]).mean() for values in (network.parameters(), gradients))
        assert (row.W, row.dW, row.ratio) == pytest.approx((W, dW, dW / W), rel=1e-12)


def test_dead_and_saturated_units_are_counted(network, samples):
    parameters = network.parameters()
    parameters["layers.0.b"][...] = [-1e3, 1e3, -1e3, 1e3]
    parameters["layers.2.W"][...] = 0
    parameters["layers.2.b"][...] = [-9, 9, 0, 0, 0, 9]
    parameters["layers.3.W"][...] = 0
    parameters["layers.3.b"][...] = [9, -9, 0, 1, 2]
    network.set_parameters(parameters)
    conv, sigmoid, tanh, softmax = diagnose_layers(network, samples, 1)
    assert (conv.dead, conv.saturated) == (0.5, None)
    assert (sigmoid.dead, sigmoid.saturated) == (None, 0.5)
    assert (tanh.dead, tanh.saturated) == (None, 0.4)
    assert (softmax.dead, softmax.saturated) == (None, None)
    assert sigmoid.ratio is None  # W is 0


def test_numbers_that_are_not_finite_are_shown_as_they_are(network, samples):
    parameters = network.parameters()
    parameters["layers.0.W"][...] = np.inf
    network.set_parameters(parameters)
    assert not np.isfinite(diagnose_layers(network, samples, 1)[0].W)
