"""A network at its edges: shapes, layouts, batches of any size, and what it says about input that does not fit."""

import copy
import pickle
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnntrain
from cnntrain.errors import DataError, ShapeError, WeightsError
from cnntrain.gradient_check.loss_value import LossValue
from cnntrain.network.network import Network

LAYERS = {
    "classifier": [
        {"conv": {"K": 3, "F": 3, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"conv": {"K": 2, "F": 3, "P": 1, "S": 2, "activation": "tanh"}},
        {"pool": {"k": 2, "S": 1, "type": "average"}},
        {"fc": {"units": 5, "activation": "elu"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "regression": [{"pool": {"k": 3, "type": "average"}}, {"fc": {"units": 3, "activation": "sigmoid"}}],
    "normalized, with dropout": [
        {"conv": {"K": 3, "F": 3}},
        {"batch_norm": {"activation": "relu"}},
        {"pool": {"k": "all", "type": "average"}},
        {"dropout": {"rate": 0.3}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "ends in an image": [{"conv": {"K": 2, "F": 3, "S": 2, "activation": "leaky_relu"}}],
    "ends in a pool": [{"conv": {"K": 2, "F": 2, "activation": "softplus"}}, {"pool": {"k": 3, "type": "max"}}],
}
INPUT = (2, 8, 9)

NORMALIZED = "normalized, with dropout"  # it mixes the samples of a micro-batch

every_network = pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)


def batch(network, N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, *network.in_shape)), rng.integers(0, np.prod(network.out_shape), N)


@pytest.fixture
def classifier(make_network):
    return make_network(LAYERS["classifier"], INPUT)


@every_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_have_the_shapes_and_the_type_of_the_network(make_network, layers, dtype):
    network = make_network(layers, INPUT, dtype=dtype)
    x, y = batch(network, 3)
    J, grads, dx = network.loss_and_gradients(x, y)
    parameters, output = network.parameters(), network.forward(x)
    assert network.in_shape == INPUT
    assert output.shape == (3, *network.out_shape)
    assert isinstance(J, float)
    assert dx.shape == x.shape
    assert {name: value.shape for name, value in grads.items()} == {name: v.shape for name, v in parameters.items()}
    assert {value.dtype.name for value in (output, dx, *grads.values(), *parameters.values())} == {dtype}


def test_names_and_shapes_are_those_of_other_frameworks(classifier):
    assert {name: value.shape for name, value in classifier.parameters().items()} == {
        "layers.0.W": (3, 2, 3, 3),
        "layers.0.b": (3,),
        "layers.2.W": (2, 3, 3, 3),
        "layers.2.b": (2,),
        "layers.4.W": (5, 2),
        "layers.4.b": (5,),
        "layers.5.W": (4, 5),
        "layers.5.b": (4,),
    }
    assert list(classifier.parameters()) == [f"layers.{i}.{key}" for i in (0, 2, 4, 5) for key in "Wb"]


def test_softmax_gives_probabilities(classifier):
    output = classifier.forward(batch(classifier, 5)[0])
    assert (output > 0).all()
    np.testing.assert_allclose(output.sum(axis=1), 1, rtol=1e-14)


def test_conv_is_the_cross_correlation_of_an_N_C_H_W_batch(make_network):
    network = make_network([{"conv": {"K": 4, "F": 3, "P": 1, "S": 2}}], INPUT)
    W, b = network.parameters().values()
    x, _ = batch(network, 3)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    expected = np.einsum("nchwij,kcij->nkhw", windows[:, :, ::2, ::2], W) + b[:, None, None]
    np.testing.assert_allclose(network.forward(x), expected, rtol=0, atol=1e-13)


def test_fc_reads_an_image_in_C_H_W_order(make_network):
    network = make_network([{"fc": {"units": 4}}], INPUT)
    W, b = network.parameters().values()
    x, _ = batch(network, 3)
    np.testing.assert_allclose(network.forward(x), x.reshape(3, -1) @ W.T + b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != NORMALIZED])
@pytest.mark.parametrize("N", [1, 31, 32, 33, 70])
def test_batch_of_any_size_is_the_sum_of_its_samples(make_network, name, N):
    network = make_network(LAYERS[name], INPUT, reduction="sum")
    x, y = batch(network, N)
    J, grads, dx = network.loss_and_gradients(x, y)
    singles = [network.loss_and_gradients(x[i : i + 1], y[i : i + 1]) for i in range(N)]
    close = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(J, sum(single[0] for single in singles), **close)
    np.testing.assert_allclose(dx, np.concatenate([single[2] for single in singles]), **close)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, sum(single[1][name] for single in singles), err_msg=name, **close)
    outputs = np.concatenate([network.forward(x[i : i + 1]) for i in range(N)])
    np.testing.assert_allclose(network.forward(x), outputs, **close)


@every_network
def test_value_is_J_without_the_gradients(make_network, layers):
    network = make_network(layers, INPUT, l1=0.1, l2=0.1)
    x, y = batch(network, 40)
    assert LossValue(network, x, y)()[0] == network.loss_and_gradients(x, y)[0]


@every_network
def test_same_batch_gives_the_same_bits_whatever_came_between(make_network, layers):
    network = make_network(layers, INPUT, dtype="float32")
    x, y = batch(network, 40)

    def bits():
        J, grads, dx = network.loss_and_gradients(x, y)
        return J, network.forward(x).tobytes(), dx.tobytes(), [gradient.tobytes() for gradient in grads.values()]

    first = bits()
    for N in (8, 1, 32, 33):
        network.loss_and_gradients(*batch(network, N, seed=N))
    assert bits() == first


@every_network
def test_inputs_stay_as_they_are_and_results_belong_to_the_caller(make_network, layers):
    network = make_network(layers, INPUT)
    x, y = batch(network, 3)
    x.flags.writeable = y.flags.writeable = False
    J, grads, dx = network.loss_and_gradients(x, y)
    output, parameters = network.forward(x), network.parameters()
    for array in (output, dx, *grads.values(), *parameters.values()):
        array.fill(np.nan)
    again = network.loss_and_gradients(x, y)
    assert again[0] == J
    assert all(np.isfinite(array).all() for array in (network.forward(x), again[2], *again[1].values()))


@every_network
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_of_a_used_network_compute_the_same_and_are_independent(make_network, layers, copied):
    network = make_network(layers, INPUT, dtype="float32", l2=0.1)
    x, y = batch(network, 3)

    def bits(network):
        J, grads, _ = network.loss_and_gradients(x, y)
        return J, network.forward(x).tobytes(), [gradient.tobytes() for gradient in grads.values()]

    first = bits(network)
    other = copied(network)
    assert bits(other) == first
    other.set_parameters({name: 0 * value for name, value in other.parameters().items()})
    assert not other.theta[: other.layout.trainable_count].any()
    assert bits(network) == first


def test_copies_keep_what_is_frozen_and_the_weights_of_classes(classifier):
    network = Network(classifier.layers, replace(classifier.objective, class_weights=(1, 2, 3, 4)), frozen=1)
    x, y = batch(network, 5)
    other = pickle.loads(pickle.dumps(network))
    (J, gradients, dx), (J_of_other, gradients_of_other, _) = (n.loss_and_gradients(x, y) for n in (network, other))
    assert (J_of_other, list(gradients_of_other), dx) == (J, list(gradients), None)


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_of_a_batch_does_not_matter(classifier, order):
    x, _ = batch(classifier, 3)
    np.testing.assert_array_equal(classifier.forward(np.array(x, order=order)), classifier.forward(x.tolist()))


@pytest.mark.parametrize(
    "shape", [(3, 2, 8, 8), (3, 1, 8, 9), (3, 8, 9, 2), (2, 8, 9), (3, 144), (0, 2, 8, 9), (3, 2, 8, 9, 1), ()]
)
def test_images_of_another_shape_are_refused(classifier, shape):
    for use in (classifier.forward, lambda x: classifier.loss_and_gradients(x, np.zeros(3, int))):
        with pytest.raises(ShapeError) as caught:
            use(np.zeros(shape))
        assert "(N, 2, 8, 9)" in str(caught.value)
        assert str(shape) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("y", "word"),
    [
        ([0, 1], "(2,)"),
        ([0, 1, 2, 3], "(4,)"),
        ([[0], [1], [2]], "(3, 1)"),
        ([0.0, 1.0, 2.0], "float64"),
        ([True, False, True], "bool"),
        (["a", "b", "c"], "<U1"),
        ([0, 1, 4], "0..3"),
        ([0, -1, 2], "-1"),
    ],
)
def test_labels_that_are_not_classes_are_refused(classifier, y, word):
    with pytest.raises(DataError) as caught:
        classifier.loss_and_gradients(np.zeros((3, *INPUT)), np.array(y))
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameters_can_be_taken_over(make_network):
    one, other = (make_network(LAYERS["classifier"], INPUT, seed=seed) for seed in (0, 1))
    x, _ = batch(one, 3)
    assert not np.array_equal(one.forward(x), other.forward(x))
    other.set_parameters(one.parameters())
    np.testing.assert_array_equal(one.forward(x), other.forward(x))


def test_parameters_are_copied_in(classifier):
    parameters = classifier.parameters()
    classifier.set_parameters(parameters)
    parameters["layers.0.W"].fill(7)
    assert not (classifier.parameters()["layers.0.W"] == 7).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers.4.W": None}, ["layers.4.W missing"]),
        ({"layers.4.W": None, "layers.5.b": None}, ["layers.4.W, layers.5.b missing"]),
        ({"layers.1.W": np.zeros(3)}, ["layers.1.W unknown"]),
        ({"layers.0.b": None, "layers.0.bias": np.zeros(3)}, ["layers.0.b missing", "layers.0.bias unknown"]),
        ({"layers.5.W": np.zeros((5, 4))}, ["layers.5.W", "(5, 4)", "(4, 5)"]),
        ({"layers.5.b": np.zeros((4, 1))}, ["layers.5.b", "(4, 1)", "(4,)"]),
    ],
)
def test_parameters_that_do_not_fit_are_named_and_change_nothing(classifier, change, words):
    before = classifier.parameters()
    parameters = {name: value + 1 for name, value in before.items()} | change
    with pytest.raises(WeightsError) as caught:
        classifier.set_parameters({name: value for name, value in parameters.items() if value is not None})
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    for name, value in classifier.parameters().items():
        np.testing.assert_array_equal(value, before[name])


def test_network_without_parameters_still_hands_delta_back(make_network):
    network = make_network([{"pool": {"k": 2, "type": "average"}}], (1, 2, 4))
    J, grads, dx = network.loss_and_gradients(np.ones((1, 1, 2, 4)), np.array([1]))
    assert (J, grads) == (0.5, {})
    np.testing.assert_array_equal(dx, [[[[0.25, 0.25, 0, 0], [0.25, 0.25, 0, 0]]]])


def test_float64_can_be_asked_for_whatever_the_config_says(make_config):
    config = make_config(LAYERS["classifier"], INPUT, dtype="float32")
    assert cnntrain.build(config).dtype == np.float32
    assert cnntrain.build(config, dtype="float64").dtype == np.float64


@given(count=st.integers(1, 3000), size=st.integers(1, 64))
def test_slices_are_few_and_of_nearly_one_size(count, size):
    network = SimpleNamespace(micro_batch_size=size)
    parts = Network.micro_batches(network, count)
    lengths = [part.stop - part.start for part in parts]
    assert len(parts) == -(-count // size)
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    assert [*chain(*(range(part.start, part.stop) for part in parts))] == list(range(count))
