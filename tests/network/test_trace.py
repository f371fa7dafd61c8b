"""A trace gives z, a, delta and the gradients of every entry: those of the textbook, and those that train."""

import numpy as np
import pytest

from cnntrain import textbook
from cnntrain.errors import DataError, ShapeError
from cnntrain.layers.dropout import Dropout
from cnntrain.network.array_layout import to_edge
from cnntrain.ops.phases import memory_shape
from cnntrain.textbook.algorithm import delta_through

INPUT = (2, 8, 9)
LAYERS = {
    "pools after every activation": [
        {"conv": {"K": 3, "F": 3, "P": 1, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"conv": {"K": 2, "F": 2, "activation": "leaky_relu"}},
        {"pool": {"k": 2, "S": 1, "type": "max"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "strides, averages, elu": [
        {"conv": {"K": 2, "F": 3, "P": 1, "S": 2, "activation": "elu"}},
        {"pool": {"k": 2, "S": 1, "type": "average"}},
        {"conv": {"K": 2, "F": 2, "activation": "softplus"}},
        {"pool": {"k": "all", "type": "average"}},
        {"fc": {"units": 5, "activation": "tanh"}},
        {"fc": {"units": 4, "activation": "sigmoid"}},
    ],
    "normalized, with dropout": [
        {"conv": {"K": 3, "F": 3}},
        {"batch_norm": {"activation": "tanh"}},
        {"pool": {"k": 2, "type": "max"}},
        {"dropout": {"rate": 0.3}},
        {"fc": {"units": 6}},
        {"batch_norm": {"activation": "relu"}},
        {"fc": {"units": 4, "activation": "softmax"}},
    ],
    "ends in a pool": [{"conv": {"K": 2, "F": 2, "activation": "softplus"}}, {"pool": {"k": 3, "type": "max"}}],
}


def sample_batch(network, N):
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, *network.in_shape)), rng.integers(0, np.prod(network.out_shape), N)


def masks_of(network, N):
    masks = {}
    for layer in network.layers:
        if isinstance(layer, Dropout):
            ones = np.ones((*memory_shape(layer.in_shape), N))
            masks[layer.index] = to_edge(layer.forward(ones, layer.cache(N, "float64")), layer.in_shape)
    return masks


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("N", [1, 3])
def test_every_array_is_that_of_the_textbook(make_network, name, N):
    layers = LAYERS[name]
    loss = "cross_entropy" if "softmax" in str(layers) else "mse"
    network = make_network(layers, INPUT, loss=loss, reduction="sum")
    x, y = sample_batch(network, N)
    trace, masks = network.trace(x, y), masks_of(network, N)
    z, a = textbook.micro_batch_forward(layers, network.state(), list(x), masks)
    labels = [np.eye(z_n.size)[label].reshape(z_n.shape) for z_n, label in zip(z[-1], y, strict=True)]
    last = textbook.activation_of(layers[-1])
    delta = [textbook.output_delta(z_n, y_n, last, loss) for z_n, y_n in zip(z[-1], labels, strict=True)]
    close = {"rtol": 1e-12, "atol": 1e-13}
    assert [layer.index for layer in trace] == list(range(len(layers))) == list(range(len(trace)))
    for at in reversed(range(len(layers))):
        layer = trace[at]
        assert layer.kind == next(iter(layers[at]))
        np.testing.assert_allclose(layer.x, np.array(a[at]), **close)
        np.testing.assert_allclose(layer.z, np.array(z[at]), **close)
        np.testing.assert_allclose(layer.a, np.array(a[at + 1]), **close)
        np.testing.assert_allclose(layer.delta, np.array(delta), **close)
        # Where relu makes a whole region 0, the engine still knows the maximum of z.
        ranking = z[at - 1] if layer.kind == "pool" and layers[at]["pool"]["type"] == "max" else a[at]
        delta = delta_through(layers[at], network.state(), at, ranking, delta, masks.get(at, ()))
        np.testing.assert_allclose(layer.dx, np.array(delta), **close)
        if at:
            sigma = textbook.activation_of(layers[at - 1])
            delta = [d_n * textbook.sigma_prime(z_n, sigma) for d_n, z_n in zip(delta, z[at - 1], strict=True)]
    if 2 in masks or 3 in masks:
        np.testing.assert_array_equal(trace["layers.3.mask"], masks[3])
        mean, var = textbook.batch_norm_statistics(a[1])
        np.testing.assert_allclose(trace["layers.1.mean"], np.tile(mean, (N, 1)), **close)
        np.testing.assert_allclose(trace["layers.1.var"], np.tile(var, (N, 1)), **close)


@pytest.mark.parametrize("name", list(LAYERS))
def test_gradients_are_those_that_train_without_the_penalty(make_network, name):
    network = make_network(LAYERS[name], INPUT, loss="mse", l2=0.1, l1=0.01)
    x, y = sample_batch(network, 70)  # several micro-batches
    J, gradients, dx = network.loss_and_gradients(x, y)
    trace = network.trace(x, y)
    assert trace.J + trace.penalty == pytest.approx(J, rel=1e-14)
    assert trace.losses.shape == (70,)
    np.testing.assert_allclose(trace[0].dx, dx, rtol=0, atol=0)
    W = {name: value for name, value in network.parameters().items() if name.endswith(".W")}
    for name, gradient in gradients.items():
        at, key = name.removeprefix("layers.").split(".")
        penalty = 0.1 * W[name] + 0.01 * np.sign(W[name]) if name in W else 0
        np.testing.assert_allclose(trace[f"layers.{at}.d{key}"] + penalty, gradient, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(trace[f"layers.{at}.{key}"], network.parameters()[name])


RESIDUAL = [
    {"conv": {"K": 3, "F": 3, "P": 1, "activation": "tanh"}},
    {
        "residual": {
            "layers": [
                {"conv": {"K": 4, "F": 3, "P": 1, "S": 2}},
                {"batch_norm": {"activation": "elu"}},
                {
                    "residual": {
                        "layers": [{"conv": {"K": 4, "F": 1, "activation": "tanh"}}, {"dropout": {"rate": 0.3}}]
                    }
                },
            ],
            "activation": "softplus",
        }
    },
    {"fc": {"units": 4, "activation": "softmax"}},
]


@pytest.mark.parametrize("N", [1, 3, 40])
def test_a_residual_block_has_the_traces_of_the_entries_inside(make_network, N):
    network = make_network(RESIDUAL, INPUT, reduction="sum")
    x, y = sample_batch(network, N)
    _, gradients, dx = network.loss_and_gradients(x, y)
    trace = network.trace(x, y)
    close = {"rtol": 1e-12, "atol": 1e-12}
    names = [name.removeprefix("layers.") for name, _ in trace.walk()]
    assert names == ["0", "1.0", "1.1", "1.2.0", "1.2.1", "1.2", "1.shortcut.0", "1.shortcut.1", "1", "2"]
    for name, gradient in gradients.items():
        owner, _, key = name.rpartition(".")
        np.testing.assert_allclose(trace[f"{owner}.d{key}"], gradient, err_msg=name, **close)
        np.testing.assert_array_equal(trace[name], network.parameters()[name])
    np.testing.assert_array_equal(trace["layers.0.dx"], dx)
    block, (*_, inner) = trace[1], trace[1].branches["F"]
    between = block.intermediates
    np.testing.assert_array_equal(block.z, between["branch"] + between["shortcut"])
    np.testing.assert_allclose(block.dx, between["dx_branch"] + between["dx_shortcut"], **close)
    np.testing.assert_array_equal(inner.a, between["branch"])
    np.testing.assert_array_equal(block.branches["shortcut"][1].a, between["shortcut"])
    np.testing.assert_allclose(block.delta, trace[2].dx * textbook.sigma_prime(block.z, "softplus"), **close)
    np.testing.assert_allclose(inner.delta, block.delta, **close)
    for _, layer in trace.walk():
        assert layer.x.shape[0] == layer.delta.shape[0] == N


def test_float64_on_request_leaves_the_network_alone(make_network):
    network = make_network(LAYERS["normalized, with dropout"], INPUT, dtype="float32")
    x, y = sample_batch(network, 2)
    before = network.theta.copy()
    single, double = network.trace(x, y), network.trace(x, y, dtype="float64")
    assert {value.dtype.name for name, value in single.arrays().items() if "winner" not in name} == {"float32"}
    assert {value.dtype.name for name, value in double.arrays().items() if "winner" not in name} == {"float64"}
    assert network.dtype == np.float32
    np.testing.assert_array_equal(network.theta, before)
    np.testing.assert_array_equal(double["layers.0.W"], single["layers.0.W"])
    for name, value in double.arrays().items():
        np.testing.assert_allclose(single[name], value, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("options", [{"k": 2}, {"k": 3, "S": 1}, {"k": 2, "S": 3}, {"k": "all"}])
def test_the_winner_of_a_region_is_where_its_maximum_is(make_network, options):
    network = make_network([{"pool": {"type": "max", **options}}], INPUT, loss="mse")
    x, y = sample_batch(network, 2)
    x[0, 0, :3, :3] = 1  # ties: the first wins
    layer = network.trace(x, y)[0]
    rows, columns = textbook.region_shape(x[0], options["k"])
    S = 1 if options["k"] == "all" else options.get("S", options["k"])
    for n, c, i, j in np.ndindex(layer.a.shape):
        region = x[n, c, S * i : S * i + rows, S * j : S * j + columns]
        assert layer.intermediates["winner"][n, c, i, j] == region.argmax()


def test_a_trace_keeps_its_values(make_network):
    network = make_network(LAYERS["pools after every activation"], INPUT)
    x, y = sample_batch(network, 2)
    first = network.trace(x, y)
    kept = {name: value.copy() for name, value in first.arrays().items()}
    network.trace(-x, y)
    for name, value in first.arrays().items():
        np.testing.assert_array_equal(value, kept[name])


def test_a_trace_shows_shapes_not_numbers(make_network):
    network = make_network(LAYERS["ends in a pool"], INPUT, loss="mse")
    trace = network.trace(*sample_batch(network, 2))
    assert repr(trace).startswith("Trace(J = ")
    assert repr(trace).endswith(" of 2; 0 conv, 1 pool)")
    assert repr(trace[0]).startswith("LayerTrace(0 conv: x (2, 2, 8, 9), z (2, 2, 7, 8), a (2, 2, 7, 8), delta ")
    assert "layers.0.dW" in trace._ipython_key_completions_()


def test_samples_that_do_not_fit_are_refused(make_network):
    network = make_network(LAYERS["ends in a pool"], INPUT)
    with pytest.raises(ShapeError, match=r"not \(1, 3, 8, 9\)"):
        network.trace(np.zeros((1, 3, 8, 9)), np.zeros(1, int))
    with pytest.raises(DataError, match="labels must lie in"):
        network.trace(np.zeros((1, *INPUT)), np.array([99]))
