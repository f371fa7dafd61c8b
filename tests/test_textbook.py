"""The textbook against finite differences, NumPy's own windows, and identities that hold for every shape.

The article's worked examples are in test_textbook_examples.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose, assert_array_equal

from cnntrain import textbook

ACTIVATIONS = sorted(textbook.SIGMA)
SOFTMAX = {"fc": {"units": 3, "activation": "softmax"}}


def relative_error(value, expected):
    """The greatest difference over the greatest expected magnitude."""
    return np.abs(value - expected).max() / max(np.abs(expected).max(), 1e-12)


def numeric_gradient(function, array, h=1e-5):
    """Central differences of ``function()`` in every entry of ``array``, which is changed and put back."""
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + h
        above = function()
        array[index] = value - h
        gradient[index] = (above - function()) / (2 * h)
        array[index] = value
    return gradient


def parameters_of(layers, in_shape, rng):
    """Random parameters for the layers, each shape found by running the layers before it."""
    parameters, a = {}, np.zeros(in_shape)
    for i, layer in enumerate(layers):
        [(kind, options)] = layer.items()
        if kind == "pool":
            a = textbook.pool_forward(a, options["k"], options.get("S", options["k"]), options["type"])
            continue
        conv = kind == "conv"
        units = options["K"] if conv else options["units"]
        W_shape = (units, a.shape[0], options["F"], options["F"]) if conv else (units, a.size)
        W = rng.normal(size=W_shape) / np.sqrt(np.prod(W_shape[1:]))
        b = 0.3 * rng.normal(size=units)
        parameters |= {f"layers.{i}.W": W, f"layers.{i}.b": b}
        a = textbook.conv_forward(W, b, a, options.get("P", 0), options.get("S", 1)) if conv else b
    return parameters


def conv(K=2, F=2, activation="tanh", **options):
    return {"conv": {"K": K, "F": F, "activation": activation, **options}}


NETWORKS = {
    **{f"conv {name}": ((2, 4, 3), [conv(activation=name), SOFTMAX], "cross_entropy") for name in ACTIVATIONS},
    **{
        f"fc {name}, mse": (
            (4,),
            [{"fc": {"units": 5, "activation": name}}, {"fc": {"units": 3, "activation": name}}],
            "mse",
        )
        for name in ACTIVATIONS
    },
    "softmax, mse": ((4,), [SOFTMAX], "mse"),
    "F = 1": ((2, 3, 4), [conv(F=1), SOFTMAX], "cross_entropy"),
    "P = F - 1": ((2, 3, 4), [conv(F=3, P=2), SOFTMAX], "cross_entropy"),
    "P above F - 1": ((1, 3, 2), [conv(F=2, P=3), SOFTMAX], "cross_entropy"),
    "S = 2, last row unread": ((2, 6, 5), [conv(F=3, S=2), SOFTMAX], "cross_entropy"),
    "S above F": ((1, 6, 7), [conv(F=2, S=3, P=1), SOFTMAX], "cross_entropy"),
    "two convs": ((1, 5, 6), [conv(F=3, P=1, S=2), conv(K=3, F=2), SOFTMAX], "cross_entropy"),
    "conv as output, mse": ((2, 3, 2), [conv(K=3, F=2)], "mse"),
    "max pool": ((2, 4, 6), [conv(F=1), {"pool": {"k": 2, "type": "max"}}, SOFTMAX], "cross_entropy"),
    "max pool, overlap": ((2, 6, 5), [conv(), {"pool": {"k": 3, "S": 1, "type": "max"}}, SOFTMAX], "mse"),
    "max pool, gaps": ((2, 6, 5), [{"pool": {"k": 2, "S": 3, "type": "max"}}, SOFTMAX], "cross_entropy"),
    "average pool": ((2, 5, 5), [conv(), {"pool": {"k": 2, "type": "average"}}, SOFTMAX], "cross_entropy"),
    "average pool, overlap": ((2, 5, 4), [conv(), {"pool": {"k": 2, "S": 1, "type": "average"}}, conv()], "mse"),
    "average pool, gaps": ((1, 6, 7), [{"pool": {"k": 2, "S": 3, "type": "average"}}, SOFTMAX], "mse"),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_match_finite_differences(network):
    in_shape, layers, loss = NETWORKS[network]
    rng = np.random.default_rng(3)
    parameters, x = parameters_of(layers, in_shape, rng), rng.normal(size=in_shape)

    def loss_of_sample():
        return textbook.sample_gradients(layers, parameters, x, 1, loss)[0]

    _, gradients, dx = textbook.sample_gradients(layers, parameters, x, 1, loss)
    assert gradients.keys() == parameters.keys()
    for name, array in {**parameters, "x": x}.items():
        gradient = {**gradients, "x": dx}[name]
        assert gradient.shape == array.shape
        assert relative_error(gradient, numeric_gradient(loss_of_sample, array)) < 1e-7, name


def test_gradients_of_a_slice_match_finite_differences():
    layers = [
        {"batch_norm": {"activation": "sigmoid"}},
        conv(F=2),
        {"dropout": {"rate": 0.5}},
        {"batch_norm": {"eps": 0.1}},
        {"pool": {"k": "all", "type": "average"}},
        {"batch_norm": {"activation": "tanh"}},
        SOFTMAX,
    ]
    rng = np.random.default_rng(5)
    parameters = parameters_of([conv(F=2)], (2, 3, 4), rng) | {"layers.6.W": rng.normal(size=(3, 2))}
    parameters = {f"layers.{1 if 'layers.0' in name else 6}.{name[9:]}": W for name, W in parameters.items()}
    parameters["layers.6.b"] = rng.normal(size=3)
    for at in (0, 3, 5):
        parameters |= {f"layers.{at}.gamma": rng.normal(1, 0.3, 2), f"layers.{at}.b": rng.normal(size=2)}
    samples, labels = list(rng.normal(size=(5, 2, 3, 4))), [0, 2, 1, 1, 0]
    masks = {2: list(2.0 * (rng.random((5, 2, 2, 3)) < 0.5))}

    def loss_of_slice():
        return textbook.micro_batch_gradients(layers, parameters, samples, labels, "cross_entropy", masks)[0]

    _, gradients, dx = textbook.micro_batch_gradients(layers, parameters, samples, labels, "cross_entropy", masks)
    assert gradients.keys() == parameters.keys()
    arrays = parameters | {f"x{n}": x for n, x in enumerate(samples)}
    scale = max(np.abs(gradient).max() for gradient in gradients.values())
    for name, array in arrays.items():
        gradient = (gradients | {f"x{n}": delta for n, delta in enumerate(dx)})[name]
        assert gradient.shape == array.shape
        assert_allclose(gradient, numeric_gradient(loss_of_slice, array), rtol=0, atol=1e-7 * scale, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
def test_batch_norm_is_that_of_numpys_mean_and_variance(n, C, pixels, seed):
    rng = np.random.default_rng(seed)
    a, gamma, b = rng.normal(2, 3, (n, C, pixels)), rng.normal(size=C), rng.normal(size=C)
    mean, var = textbook.batch_norm_statistics(a)
    assert_allclose(mean, a.mean(axis=(0, 2)), atol=1e-12)
    assert_allclose(var, a.var(axis=(0, 2)), atol=1e-12)
    expected = gamma[:, None] * (a - mean[:, None]) / np.sqrt(var[:, None] + 0.1) + b[:, None]
    assert_allclose(textbook.batch_norm_forward(gamma, b, a, 0.1), expected, atol=1e-12)
    for_one = textbook.batch_norm_evaluation(gamma, b, mean, var, a[0], 0.1)
    assert_allclose(for_one, expected[0], atol=1e-12)


def test_a_running_average_keeps_its_share():
    assert_array_equal(textbook.running_average(np.array([1.0, 2.0]), np.array([3.0, 6.0]), 0.75), [1.5, 3.0])


def test_an_iteration_takes_alpha_times_the_sum_of_the_samples_gradients():
    rng = np.random.default_rng(4)
    layers = [conv(), SOFTMAX]
    parameters, samples, labels = parameters_of(layers, (1, 3, 3), rng), rng.normal(size=(4, 1, 3, 3)), [0, 2, 1, 2]
    before = {name: W.copy() for name, W in parameters.items()}
    updated = textbook.epoch(layers, parameters, samples, labels, 0.1, "cross_entropy")
    for name, W in before.items():
        total = np.zeros(W.shape)
        for x, label in zip(samples, labels, strict=True):
            total += textbook.sample_gradients(layers, parameters, x, label, "cross_entropy")[1][name]
        assert_allclose(updated[name], W - 0.1 * total, rtol=1e-13)
        assert_array_equal(parameters[name], W)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sigma_prime_is_the_slope_of_sigma(activation):
    z = np.linspace(-4, 4, 100)  # without 0, where relu and leaky_relu have a kink
    numeric = (textbook.sigma(z + 1e-5, activation) - textbook.sigma(z - 1e-5, activation)) / 2e-5
    assert_allclose(textbook.sigma_prime(z, activation), numeric, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0), ("leaky_relu", 0.01), ("elu", 1)])
def test_the_slope_at_zero_is_that_of_the_left_side(activation, slope):
    assert textbook.sigma_prime(np.zeros(1), activation) == slope


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax"])
def test_large_z_neither_overflows_nor_gives_nan(activation):
    z, y = np.array([-1e4, 0.0, 1e4]), np.array([1.0, 0.0, 0.0])
    assert np.isfinite(textbook.sigma(z, activation)).all()
    for loss in ["mse"] + ["cross_entropy"] * (activation == "softmax"):
        assert np.isfinite(textbook.loss_value(z, y, activation, loss))
        assert np.isfinite(textbook.output_delta(z, y, activation, loss)).all()


def test_cross_entropy_of_a_hopeless_sample_is_the_difference_of_the_z():
    assert textbook.loss_value(np.array([-1e4, 1e4]), np.array([1.0, 0.0]), "softmax", "cross_entropy") == 2e4


@st.composite
def convolutions(draw):
    """A convolution that fits: (a, W, b, delta, P, S), filled with random numbers."""
    size = st.integers(1, 3)
    K, C, F, P, S = draw(size), draw(size), draw(size), draw(st.integers(0, 4)), draw(st.integers(1, 4))
    H, width = (draw(st.integers(max(1, F - 2 * P), 7)) for _ in range(2))
    OH, OW = ((side + 2 * P - F) // S + 1 for side in (H, width))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays = (rng.normal(size=shape) for shape in [(C, H, width), (K, C, F, F), (K,), (K, OH, OW)])
    return *arrays, P, S


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_conv_forward_is_the_sum_over_numpys_windows(case):
    a, W, b, delta, P, S = case
    windows = sliding_window_view(np.pad(a, ((0, 0), (P, P), (P, P))), W.shape[2:], axis=(1, 2))[:, ::S, ::S]
    z = textbook.conv_forward(W, b, a, P, S)
    assert z.shape == delta.shape
    assert_allclose(z, np.einsum("kcpq,cijpq->kij", W, windows) + b[:, None, None], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_delta_through_conv_and_conv_dW_are_the_adjoints_of_conv_forward(case):
    """delta . (a * W) is linear in a and in W, so it equals dJ/da . a and dJ/dW . W, and db . b with b for a * W."""
    a, W, b, delta, P, S = case
    expected = np.sum(delta * textbook.conv_forward(W, 0 * b, a, P, S))
    scale = np.abs(delta).sum() * np.abs(W).sum() * np.abs(a).max()
    assert abs(np.sum(textbook.delta_through_conv(W, delta, a.shape, P, S) * a) - expected) < 1e-13 * scale
    assert abs(np.sum(textbook.conv_dW(a, delta, W.shape[2], P, S) * W) - expected) < 1e-13 * scale
    assert_allclose(textbook.conv_db(delta), delta.sum(axis=(1, 2)), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_with_stride_1_and_no_padding_delta_through_conv_is_a_true_convolution(case):
    a, W, _, _, _, _ = case
    delta = np.random.default_rng(0).normal(size=(len(W), a.shape[1], a.shape[2]))
    in_shape = (W.shape[1], a.shape[1] + W.shape[2] - 1, a.shape[2] + W.shape[3] - 1)
    expected = [sum(map(textbook.true_convolution, delta, W[:, c])) for c in range(W.shape[1])]
    assert_allclose(textbook.delta_through_conv(W, delta, in_shape), expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(0, 5), st.integers(0, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99)
)
def test_upsample_is_the_adjoint_of_pool_forward(C, more_rows, more_columns, k, S, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(C, k + more_rows, k + more_columns))
    windows = sliding_window_view(a, (k, k), axis=(1, 2))[:, ::S, ::S]
    for kind, expected in [("max", windows.max(axis=(3, 4))), ("average", windows.mean(axis=(3, 4)))]:
        z = textbook.pool_forward(a, k, S, kind)
        assert_allclose(z, expected, atol=1e-14)
        delta = rng.normal(size=z.shape)
        # Both pools are linear in a as long as the winners stay, so delta . pool(a) = upsample(delta) . a.
        assert np.sum(textbook.upsample(delta, a, k, S, kind) * a) == pytest.approx(np.sum(delta * z), abs=1e-12)
