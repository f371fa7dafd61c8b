"""A row for evaluation computes what the layers compute, with batch normalization in the kernels where it can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnntrain
from cnntrain.config import config_from_dict
from cnntrain.layers.activation import Activation
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.folding import folded, folded_bytes
from cnntrain.layers.row import walk
from cnntrain.network.array_layout import from_edge

RELU = {"activation": "relu"}
CONV, NORM = {"conv": {"K": 3, "F": 3, "P": 1}}, {"batch_norm": RELU}
POOL, PADDED = {"pool": {"k": 2, "type": "max"}}, {"pool": {"k": 3, "S": 1, "P": 1, "type": "max"}}
WINOGRAD = {"conv": {"K": 16, "F": 3, "P": 1}}
LAST = {"fc": {"units": 3, "activation": "softmax"}}


def make(layers, shape=(2, 9, 12), dtype="float64", seed=0):
    """A network whose batch normalization is far from the identity: gammas of both signs, and zero."""
    content = {"network": {"input": list(shape), "layers": [*layers, LAST]}, "training": {"dtype": dtype}}
    network = cnntrain.build(config_from_dict(content, "a test"))
    rng, state = np.random.default_rng(seed), network.state()
    for name, value in state.items():
        key = name.rpartition(".")[2]
        if key in ("b", "gamma", "running_mean"):
            value[...] = rng.normal(size=value.shape)
        if key == "running_var":
            value[...] = rng.uniform(0.1, 3, value.shape)
        if key == "gamma":
            value[0] = 0
    network.set_state(state)
    return network


def outputs(network, row, n=4, seed=1):
    """The logits of random images."""
    x = np.random.default_rng(seed).normal(size=(n, *network.in_shape)).astype(network.dtype)
    workspace = network.workspace(n)
    workspace.x[...] = from_edge(x)
    return row.infer(workspace.x, workspace.caches, stop=network.training_stop).copy()


def relative_error(network):
    """The error of folding, relative to the largest output."""
    expected = outputs(network, network.row)
    return np.abs(outputs(network, network.evaluation().row) - expected).max() / np.abs(expected).max()


activations = st.sampled_from(["identity", "relu", "tanh", "leaky_relu"])
entries = st.one_of(
    st.builds(
        lambda K, F, P, S, activation: {"conv": {"K": K, "F": F, "P": P, "S": S, "activation": activation}},
        st.integers(1, 16),
        st.sampled_from([1, 3]),
        st.integers(0, 1),
        st.integers(1, 2),
        activations,
    ),
    st.builds(lambda activation: {"batch_norm": {"activation": activation}}, activations),
    st.sampled_from([{"pool": {"k": 2, "S": 1, "type": "max"}}, PADDED, {"pool": {"k": 2, "S": 1, "type": "average"}}]),
    st.just({"dropout": {"rate": 0.3}}),
)
blocks = st.builds(
    lambda layers, activation: {"residual": {"layers": layers, "activation": activation}},
    st.lists(
        st.sampled_from([CONV, {"batch_norm": {}}, NORM, {"conv": {"K": 5, "F": 1, **RELU}}]), min_size=1, max_size=4
    ),
    st.sampled_from(["identity", "relu"]),
)


@settings(max_examples=60)
@given(st.lists(st.one_of(entries, blocks), min_size=1, max_size=6), st.booleans())
def test_outputs_are_those_of_the_layers(layers, ends_in_vectors):
    if ends_in_vectors:
        layers = [*layers, {"fc": {"units": 5}}, {"batch_norm": {"activation": "tanh"}}]
    try:
        network = make(layers)
    except cnntrain.errors.ShapeError:
        return
    assert relative_error(network) < 1e-12


@pytest.mark.parametrize("name", ["cifar10", "cifar10_resnet", "mnist"])
def test_the_error_in_float32_is_rounding(name):
    layers = cnntrain.load_config(name).resolved()["network"]["layers"][:-1]
    network = make(layers, (3, 32, 32), "float32")
    exact = network.astype("float64")
    expected = outputs(exact, exact.row)
    errors = [
        np.abs(outputs(network, row) - expected).max() / np.abs(expected).max()
        for row in (network.row, network.evaluation().row)
    ]
    assert max(errors) < 1e-5


@pytest.mark.parametrize(
    ("layers", "skipped"),
    [
        ([CONV, NORM], 1),
        ([CONV, NORM, POOL], 1),
        ([CONV, NORM, PADDED, POOL], 1),
        ([CONV, {"batch_norm": {}}, NORM, POOL], 1),
        ([{"residual": {"layers": [CONV, NORM, CONV, {"batch_norm": {}}], **RELU}}], 3),  # one in the shortcut
        ([CONV, {"residual": {"layers": [CONV, NORM]}}], 1),
        ([NORM, CONV], 0),
        ([{"conv": {**CONV["conv"], **RELU}}, NORM], 0),
        ([CONV, POOL, NORM], 0),
        ([CONV, {"dropout": {"rate": 0.5}}, NORM], 0),
        ([{"fc": {"units": 4}}, NORM], 0),
        ([CONV, {"residual": {"layers": [NORM, CONV]}}], 0),
    ],
)
def test_batch_normalization_is_folded_into_the_convolution_before_it(layers, skipped):
    network = make(layers)
    row = network.evaluation().row
    assert sum(layer.is_folded for _, layer in walk(row.layers) if isinstance(layer, BatchNorm)) == skipped
    assert [name for name, _ in walk(row.layers)] == [name for name, _ in walk(network.layers)]
    assert relative_error(network) < 1e-12


def test_the_layers_of_training_stay_as_they_are():
    network = make([WINOGRAD, NORM, POOL, {"residual": {"layers": [WINOGRAD, NORM]}}])
    before, expected = network.state(), outputs(network, network.row)
    outputs(network, network.evaluation().row)
    for name, value in network.state().items():
        np.testing.assert_array_equal(value, before[name])
    np.testing.assert_array_equal(outputs(network, network.row), expected)


def test_a_row_of_new_parameters_is_made_anew():
    network = make([WINOGRAD, NORM])
    old = network.evaluation().row
    before = outputs(network, old)
    network.theta *= 0.5
    assert (outputs(network, network.evaluation().row) != before).all()
    assert relative_error(network) < 1e-12


def test_training_between_two_micro_batches_changes_nothing():
    """Training overwrites the memory of transformed kernels; those of an evaluation are apart."""
    network = make([WINOGRAD, NORM, WINOGRAD, NORM], (12, 16, 16))
    row = network.evaluation().row
    expected = outputs(network, row)
    network.loss_and_gradients(np.ones((4, 12, 16, 16)), np.array([0, 1, 2, 0]))
    network.workspace(network.micro_batch_size)
    np.testing.assert_array_equal(outputs(network, row), expected)


def test_a_row_without_an_activation_behind_the_normalization_is_not_folded():
    convolution = Conv(0, (6, 2, 6), np.ones((3, 2, 3, 3)))
    norm, activation = BatchNorm(1, (4, 3, 4)), Activation(1, "batch_norm", "relu", (4, 3, 4))
    for others in ([], [norm], [norm, norm], [norm, norm, activation]):
        assert not any(
            layer.is_folded for layer in folded([convolution, *others]).layers[1:3] if layer is not activation
        )
    assert folded([convolution, norm, activation]).layers[1].is_folded


@pytest.mark.parametrize("shape", [(12, 16, 16), (2, 9, 12)])
def test_memory_is_what_shapes_tell(shape):
    network = make([WINOGRAD, NORM, {"residual": {"layers": [WINOGRAD, NORM]}}, WINOGRAD], shape, "float32")
    row = network.evaluation().row
    outputs(network, row)
    parts = [layer for _, layer in walk(row.layers) if isinstance(layer, Conv)]
    arrays = [array for layer in parts for array in (layer.params["W"], layer.kernels)]
    own = {id(array): array for array in arrays if not np.shares_memory(array, network.theta)}
    unscaled = parts[-1].params["W"].nbytes
    computed = folded_bytes(network.layers, network.dtype)
    assert computed - unscaled <= sum(array.nbytes for array in own.values()) <= computed
