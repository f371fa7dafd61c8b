"""The walk over a row of layers."""

import doctest

import numpy as np
import pytest

from cnntrain.layers import row as module
from cnntrain.layers.activation import Activation
from cnntrain.layers.fc import Fc
from cnntrain.layers.row import Row
from cnntrain.layers.softmax import Softmax


@pytest.fixture
def row() -> Row:
    rng = np.random.default_rng(0)
    return Row(
        [
            Fc(0, (3,), rng.normal(size=(4, 3))),
            Activation(0, "fc", "tanh", (4,)),
            Fc(1, (4,), rng.normal(size=(2, 4))),
            Activation(1, "fc", "identity", (2,)),
            Softmax(1, (2,)),
        ]
    )


def grads(row: Row) -> list[dict]:
    return [{name: np.zeros(value.shape) for name, value in layer.params.items()} for layer in row.layers]


def test_observers_see_every_layer_in_order(row):
    caches, outputs, deltas = row.caches(2, "float64"), [], []
    y = row.forward(np.ones((3, 2)), caches, on_output=lambda layer, y: outputs.append((layer, y.copy())))
    row.backward(np.ones((2, 2)), caches, grads(row), on_delta=lambda layer, delta: deltas.append(layer))
    assert [layer for layer, _ in outputs] == row.layers
    assert deltas == row.layers[::-1]
    np.testing.assert_array_equal(outputs[-1][1], y)


def test_parts_give_what_the_whole_gives(row):
    x = np.random.default_rng(1).normal(size=(3, 2))
    caches = row.caches(2, "float64")
    whole = row.forward(x.copy(), caches).copy()
    hidden = row.forward(x.copy(), caches, stop=2).copy()
    np.testing.assert_array_equal(row.forward(hidden, caches, start=2), whole)
    np.testing.assert_array_equal(row.infer(row.infer(x.copy(), caches, stop=3), caches, start=3), whole)


def test_delta_of_the_input_only_where_it_is_wanted(row):
    x, caches = np.random.default_rng(1).normal(size=(3, 2)), row.caches(2, "float64")
    results = []
    for want in (True, False):
        row.forward(x.copy(), caches, stop=4)
        gradients = grads(row)
        results.append((row.backward(np.ones((2, 2)), caches, gradients, stop=4, want_delta=want), gradients))
    assert results[0][0].shape == (3, 2)
    assert results[1][0] is None
    np.testing.assert_array_equal(results[0][1][0]["W"], results[1][1][0]["W"])
    assert results[0][1][0]["W"].any()


def test_its_example_is_right():
    assert doctest.testmod(module).failed == 0
