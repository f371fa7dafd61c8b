"""Every parameter in one vector: every W, then what else is trained, then running averages."""

import numpy as np
import pytest

from cnntrain.layers.activation import Activation
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import MaxPool
from cnntrain.network.parameter_vector import ParameterLayout


@pytest.fixture
def layers():
    """Steps of conv, pool, batch_norm and fc."""
    rng = np.random.default_rng(0)
    return [
        Conv(0, (3, 2, 4), rng.normal(size=(4, 2, 2, 2))),
        MaxPool(1, (2, 4, 3), (1, 1), 1),
        Activation(0, "conv", "relu", (2, 4, 3)),
        BatchNorm(2, (2, 4, 3)),
        Activation(2, "batch_norm", "relu", (2, 4, 3)),
        Fc(3, (2, 4, 3), rng.normal(size=(5, 24))),
        Activation(3, "fc", "identity", (5,)),
    ]


@pytest.fixture
def bound(layers):
    """The layout, and the vector that the parameters lie in."""
    layout = ParameterLayout(layers)
    theta = np.empty(layout.size)
    layout.move_to(theta)
    return layout, theta


def test_W_come_first_running_averages_last_and_nothing_lies_twice(layers):
    layout = ParameterLayout(layers)
    W, others = 4 * 2 * 4 + 5 * 24, 4 + 4 + 4 + 5
    assert (layout.W_count, layout.trainable_count, layout.size) == (W, W + others, W + others + 4 + 4)
    owners = np.zeros(layout.size, int)
    for name, slot in layout.slots.items():
        owners[slot.slice] += 1
        assert name.endswith("W") == (slot.slice.stop <= layout.W_count)
        assert ("running" in name) == (slot.slice.start >= layout.trainable_count)
    assert (owners == 1).all()


@pytest.mark.parametrize("start", [0, 100, 165, 169, 170, 177])
@pytest.mark.parametrize("stop", [0, 100, 168, 169, 170, 177])
def test_a_part_is_cut_where_the_running_averages_begin(layers, start, stop):
    layout, part = ParameterLayout(layers), slice(start, max(start, stop))
    assert (layout.trainable_count, layout.size) == (169, 177)
    trained, averaged = layout.split(part)
    entries = np.arange(layout.size)
    np.testing.assert_array_equal(entries[trained], [i for i in entries[part] if i < 169])
    np.testing.assert_array_equal(entries[averaged], [i for i in entries[part] if i >= 169])
    assert averaged.stop - averaged.start == len(entries[averaged])


def test_names_follow_the_entries_of_the_config(layers):
    layout = ParameterLayout(layers)
    trained = ["layers.0.W", "layers.0.b", "layers.2.b", "layers.2.gamma", "layers.3.W", "layers.3.b"]
    assert list(layout.parameters) == trained
    assert list(layout.buffers) == ["layers.2.running_mean", "layers.2.running_var"]
    assert sorted(layout.slots) == sorted([*layout.parameters, *layout.buffers])


def test_binding_keeps_the_values_and_shares_the_memory(layers):
    values = {(step, key): value.copy() for step, layer in enumerate(layers) for key, value in layer.params.items()}
    layout = ParameterLayout(layers)
    theta = np.empty(layout.size)
    layout.move_to(theta)
    for (step, key), value in values.items():
        np.testing.assert_array_equal(layers[step].params[key], value)
    theta *= 2
    for (step, key), value in values.items():
        np.testing.assert_array_equal(layers[step].params[key], 2 * value)


def test_views_of_a_vector_are_shaped_as_the_parameters(layers):
    layout = ParameterLayout(layers)
    vector = np.zeros(layout.size)
    for layer, views in zip(layers, layout.views(vector), strict=True):
        assert {key: view.shape for key, view in views.items()} == {k: v.shape for k, v in layer.params.items()}
        for view in views.values():
            view += 1
    assert (vector == 1).all()


def test_named_copies_are_in_the_edge_layout(bound, layers):
    layout, theta = bound
    named = layout.named(theta, layout.slots)
    assert named["layers.0.W"].shape == (4, 2, 2, 2)
    np.testing.assert_array_equal(named["layers.0.W"], layers[0].to_edge("W", layers[0].params["W"]))
    assert not any(np.shares_memory(value, theta) for value in named.values())
    assert all(value.flags.c_contiguous for value in named.values())


def test_what_was_named_can_be_taken_over(bound):
    layout, theta = bound
    named = layout.named(theta, layout.slots)
    before = theta.copy()
    theta.fill(0)
    layout.load_state(named, layout.slots)
    np.testing.assert_array_equal(theta, before)
