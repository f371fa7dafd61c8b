"""Batch normalization against NumPy's own mean and variance, and where numbers are few or far from 0."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.ops.phases import memory_shape

SIDES = st.integers(1, 5)


def made(in_shape, rng, dtype="float64", **options):
    """A layer with random parameters, and the axes that its statistics are over."""
    layer = BatchNorm(0, in_shape, **options)
    size = layer.params["gamma"].size
    values = {"gamma": rng.normal(size=size), "running_mean": rng.normal(size=size), "running_var": rng.random(size)}
    layer.params = {name: value.astype(dtype) for name, value in values.items()}
    return layer, (0, 2, 3) if len(in_shape) == 3 else (1,)


def by_channel(value, axes):
    return value[:, None, None] if len(axes) == 3 else value[:, None]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.tuples(SIDES, SIDES, SIDES), st.tuples(SIDES)), SIDES, st.integers(0, 999))
def test_training_and_use_are_the_definition(in_shape, n, seed):
    rng = np.random.default_rng(seed)
    layer, axes = made(in_shape, rng, eps=1e-3)
    x = rng.normal(3, 2, (*in_shape, n))
    gamma, mean, var = layer.params["gamma"], x.mean(axis=axes), x.var(axis=axes)
    cache = layer.cache(n, "float64")
    expected = by_channel(gamma, axes) * (x - by_channel(mean, axes)) / np.sqrt(by_channel(var, axes) + 1e-3)
    np.testing.assert_allclose(layer.forward(x, cache), expected, rtol=1e-9, atol=1e-12)
    grads = {name: np.empty(value.shape) for name, value in layer.params.items()}
    layer.backward(rng.normal(size=x.shape), cache, grads)
    np.testing.assert_allclose(grads["running_mean"], n * mean, rtol=1e-12)
    if x.size > gamma.size:
        np.testing.assert_allclose(grads["running_var"], n * x.var(axis=axes, ddof=1), rtol=1e-9)
    mean, var = layer.params["running_mean"], layer.params["running_var"]
    expected = by_channel(gamma, axes) * (x - by_channel(mean, axes)) / np.sqrt(by_channel(var, axes) + 1e-3)
    np.testing.assert_allclose(layer.infer(x, cache), expected, rtol=1e-12, atol=1e-12)


def test_channels_of_large_images_have_mean_0_and_deviation_gamma():
    rng = np.random.default_rng(0)
    layer, axes = made((50, 3, 40), rng)
    x = rng.normal(size=(*memory_shape((50, 3, 40)), 40))
    y = layer.forward(x, layer.cache(40, "float64"))
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=axes), np.abs(layer.params["gamma"]), rtol=1e-4)


@pytest.mark.parametrize("in_shape", [(1, 3, 1), (3,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_value_a_channel_becomes_0_and_leaves_the_running_variance(in_shape, dtype):
    rng = np.random.default_rng(0)
    layer, _ = made(in_shape, rng, dtype)
    x, cache = rng.normal(size=(*in_shape, 1)).astype(dtype), layer.cache(1, dtype)
    assert (layer.forward(x, cache) == 0).all()
    grads = {name: np.full(value.shape, np.nan, dtype) for name, value in layer.params.items()}
    assert np.abs(layer.backward(np.ones_like(x), cache, grads)).max() < 1e-4
    np.testing.assert_array_equal(grads["running_mean"], x.ravel())
    np.testing.assert_array_equal(grads["running_var"], layer.params["running_var"])
    assert (grads["gamma"] == 0).all()


def test_a_constant_channel_becomes_0():
    layer, _ = made((4, 2, 3), np.random.default_rng(0), "float32", eps=1e-12)
    cache = layer.cache(5, "float32")
    assert np.abs(layer.forward(np.full((4, 2, 3, 5), 0.25, "float32"), cache)).max() == 0


def test_values_far_from_0_keep_their_digits_in_float32():
    """The mean is taken off before anything is squared: x² - mean² would have nothing left of the variance."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=(*memory_shape((16, 4, 16)), 16))).astype("float32")
    layer, axes = made((16, 4, 16), rng, "float32")
    y = layer.forward(x, layer.cache(16, "float32"))
    exact = (x - x.mean(axis=axes, keepdims=True, dtype="float64")) / x.std(axis=axes, keepdims=True, dtype="float64")
    np.testing.assert_allclose(y, by_channel(layer.params["gamma"], axes) * exact, atol=2e-3)


def test_what_comes_in_is_left_as_it_is_unless_it_may_be_overwritten():
    """Others may still need it: an activation its a, for sigma'."""
    layer, _ = made((3, 2, 4), np.random.default_rng(0))
    x, cache = np.random.default_rng(1).normal(size=(3, 2, 4, 5)), layer.cache(5, "float64")
    before = x.copy()
    layer.forward(x, cache)
    grads = {name: np.empty(value.shape) for name, value in layer.params.items()}
    layer.backward(x[::-1].copy(), cache, grads)
    layer.infer(x, cache)
    np.testing.assert_array_equal(x, before)


def test_in_the_place_of_x_the_bits_are_the_same():
    rng = np.random.default_rng(0)
    x, delta = rng.normal(size=(2, 6, 3, 4, 5)).astype("float32")
    results = []
    for overwrites in (False, True):
        layer = BatchNorm(0, (6, 3, 4), overwrites=overwrites)
        layer.params = {name: value.astype("float32") for name, value in layer.params.items()}
        cache, grads = layer.cache(5, "float32"), {name: np.empty(3, "float32") for name in layer.params}
        y = layer.forward(x.copy(), cache).copy()
        results.append([y, layer.backward(delta.copy(), cache, grads), *grads.values()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
