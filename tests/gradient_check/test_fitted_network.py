"""A network that already fits its labels, with a loss of nearly 0, is checked as sharply as any other."""

import numpy as np
import pytest

import cnntrain
from cnntrain.gradient_check import check
from cnntrain.gradient_check.check import load_network, relabel_fitted

LAYERS = [
    {"conv": {"K": 2, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"activation": "softmax"}},
]
MARGIN = 14.0
FAULTS = ["layers.0:no_flip", "layers.0.b:no_mask", "layers.0:mean_for_sum", "layers.2:mean_for_sum"]


@pytest.fixture
def fitted(save_weights):
    """Weights that give every image the class 3, with a loss of about 1e-5."""

    def certain(parameters):
        parameters["layers.2.b"][3] += MARGIN

    return lambda **training: save_weights(LAYERS, certain, **training)


@pytest.fixture
def always_3(monkeypatch):
    """Labels that the network fits."""
    relabel = check.relabel_fitted

    def fit_first(network, x, y):
        y[:] = 3
        relabel(network, x, y)

    monkeypatch.setattr(check, "relabel_fitted", fit_first)


@pytest.mark.parametrize("training", [{}, {"loss": "mse"}, {"class_weights": [1.0] * 9 + [0.0]}], ids=str)
def test_right_gradients_pass(fitted, always_3, training):
    result = cnntrain.gradcheck(fitted(**training), samples=10)
    assert result["passed"]
    assert result["worst"] < 1e-6


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fitted, always_3, fault):
    result = cnntrain.gradcheck(fitted(), samples=10, inject=[fault])
    assert not result["passed"]
    assert result["worst"] > 1e-3


def test_only_labels_that_are_fitted_change(fitted):
    network, _ = load_network(fitted(class_weights=[1.0, 1.0, 0.0] + [1.0] * 7), ())
    x = np.random.default_rng(0).standard_normal((3, *network.in_shape))
    y = np.array([3, 5, 2])
    relabel_fitted(network, x, y)
    least_likely = network.forward(x)[:, [0, 1, *range(3, 10)]].argmin(axis=1)
    expected = np.array([0, 1, *range(3, 10)])[least_likely]
    assert y.tolist() == [expected[0], 5, expected[2]]
