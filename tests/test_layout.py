"""Every parameter in one vector, every W before every b."""

import numpy as np
import pytest

from cnntrain.layers.activation import Activation
from cnntrain.layers.conv import Conv
from cnntrain.layers.fc import Fc
from cnntrain.layers.options import ConvOptions, FcOptions, PoolOptions
from cnntrain.layers.pool import MaxPool
from cnntrain.layout import Layout


@pytest.fixture
def layers():
    """Steps of conv, pool and fc: 8 images of 2 x 3 pixels in two channels."""
    rng = np.random.default_rng(0)
    return [
        Conv(0, ConvOptions(K=4, F=2), (3, 2, 4), rng),
        MaxPool(1, PoolOptions(k=1, type="max"), (2, 4, 3)),
        Activation(0, "conv", "relu", (2, 4, 3)),
        Fc(2, FcOptions(units=5), (2, 4, 3), rng),
        Activation(2, "fc", "identity", (5,)),
    ]


@pytest.fixture
def bound(layers):
    """The layout, and the vector that the parameters lie in."""
    layout = Layout(layers)
    theta = np.empty(layout.size)
    layout.bind(theta)
    return layout, theta


def test_W_come_first_and_nothing_lies_twice(layers):
    layout = Layout(layers)
    assert (layout.size, layout.W_count) == (4 * 2 * 4 + 5 * 24 + 4 + 5, 4 * 2 * 4 + 5 * 24)
    owners = np.zeros(layout.size, int)
    for name, place in layout.places.items():
        owners[place.at] += 1
        assert name.endswith("W") == (place.at.stop <= layout.W_count)
    assert (owners == 1).all()


def test_names_follow_the_entries_of_the_config(layers):
    assert list(Layout(layers).places) == ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"]


def test_binding_keeps_the_values_and_shares_the_memory(layers):
    values = {(step, key): value.copy() for step, layer in enumerate(layers) for key, value in layer.params.items()}
    layout = Layout(layers)
    theta = np.empty(layout.size)
    layout.bind(theta)
    for (step, key), value in values.items():
        np.testing.assert_array_equal(layers[step].params[key], value)
    theta *= 2
    for (step, key), value in values.items():
        np.testing.assert_array_equal(layers[step].params[key], 2 * value)


def test_views_of_a_vector_are_shaped_as_the_parameters(layers):
    layout = Layout(layers)
    vector = np.zeros(layout.size)
    for layer, views in zip(layers, layout.views(vector), strict=True):
        assert {key: view.shape for key, view in views.items()} == {k: v.shape for k, v in layer.params.items()}
        for view in views.values():
            view += 1
    assert (vector == 1).all()


def test_named_copies_are_in_the_edge_layout(bound, layers):
    layout, theta = bound
    named = layout.named(theta)
    assert named["layers.0.W"].shape == (4, 2, 2, 2)
    np.testing.assert_array_equal(named["layers.0.W"], layers[0].to_edge("W", layers[0].params["W"]))
    assert not any(np.shares_memory(value, theta) for value in named.values())
    assert all(value.flags.c_contiguous for value in named.values())


def test_what_was_named_can_be_taken_over(bound):
    layout, theta = bound
    named = layout.named(theta)
    before = theta.copy()
    theta.fill(0)
    layout.take_over(named)
    np.testing.assert_array_equal(theta, before)
