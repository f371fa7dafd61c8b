"""Activations and their derivatives, also where a careless formula overflows (warnings are errors)."""

import math

import numpy as np
import pytest

from cnntrain.config.schema.layers import ActivationName
from cnntrain.ops.activations import ACTIVATIONS

FORMULAS = {  # sigma(z), sigma'(z)
    "identity": (lambda z: z, lambda z: 1),
    "relu": (lambda z: max(z, 0), lambda z: float(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else 0.01 * z, lambda z: 1 if z > 0 else 0.01),
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "softplus": (lambda z: math.log1p(math.exp(z)), lambda z: 1 / (1 + math.exp(-z))),
    "elu": (lambda z: z if z > 0 else math.expm1(z), lambda z: 1 if z > 0 else math.exp(z)),
}
LIMITS = {  # sigma and sigma' far below 0, then far above; None: z itself
    "identity": ((None, 1), (None, 1)),
    "relu": ((0, 0), (None, 1)),
    "leaky_relu": ((None, 0.01), (None, 1)),
    "sigmoid": ((0, 0), (1, 0)),
    "tanh": ((-1, 0), (1, 0)),
    "softplus": ((0, 0), (None, 1)),
    "elu": ((-1, 0), (None, 1)),
}

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


def apply(name, z, delta=1.0, dtype="float64"):
    """a = sigma(z) and delta ⊙ sigma'(z)."""
    sigma, z = ACTIVATIONS[name], np.array(z, dtype)
    zeros = np.zeros_like(z)
    a = z if sigma.in_place else np.empty_like(z)
    sigma.forward(z, a, zeros)
    result = a.copy()
    return result, sigma.backward(np.full_like(z, delta), a, zeros)


def test_every_name_of_a_config_has_an_activation():
    assert set(ACTIVATIONS) == set(ActivationName.__args__) == set(FORMULAS) == set(LIMITS)


@every_activation
@both_types
@pytest.mark.parametrize("delta", [1.0, -2.5])
def test_formulas(name, dtype, delta):
    z = np.array([-20, -5, -1.5, -0.3, -1e-3, 1e-3, 0.2, 0.7, 2, 6, 20], dtype)
    a, delta_z = apply(name, z, delta, dtype)
    sigma, sigma_prime = FORMULAS[name]
    # sigma' is computed from a, which near its limits holds few digits of z: hence an absolute part.
    tolerance = {"rtol": 1e-5, "atol": 3e-7} if dtype == "float32" else {"rtol": 1e-13, "atol": 3e-16}
    np.testing.assert_allclose(a, [sigma(float(value)) for value in z], **tolerance)
    np.testing.assert_allclose(delta_z, [delta * sigma_prime(float(value)) for value in z], **tolerance)
    assert a.dtype == delta_z.dtype == dtype


@every_activation
@both_types
@pytest.mark.parametrize("size", [1e3, 1e4, 1e30])
def test_limits_far_from_zero(name, dtype, size):
    z = np.array([-size, size], dtype)
    a, delta_z = apply(name, z, 3.0, dtype)
    for value, (limit, slope), found, found_delta in zip(z, LIMITS[name], a, delta_z, strict=True):
        expected = (0.01 * value if (name, value < 0) == ("leaky_relu", True) else value) if limit is None else limit
        assert found == pytest.approx(expected, rel=1e-6, abs=0)
        assert found_delta == pytest.approx(3 * slope, rel=1e-6, abs=0)


@both_types
@pytest.mark.parametrize(("name", "slope"), [("relu", 0), ("leaky_relu", 0.01)])
def test_zero_of_either_sign_takes_the_slope_of_the_left_side(name, slope, dtype):
    a, delta_z = apply(name, [0.0, -0.0], -4.0, dtype)
    np.testing.assert_array_equal(a, [0, 0])
    np.testing.assert_allclose(delta_z, [-4 * slope] * 2, rtol=1e-6, atol=0)


@both_types
def test_smallest_numbers_still_have_a_sign(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    np.testing.assert_array_equal(apply("relu", [tiny, -tiny], dtype=dtype)[1], [1, 0])


@every_activation
def test_rises_everywhere(name):
    """Max pooling before it gives the same as after it."""
    a, _ = apply(name, np.linspace(-50, 50, 10001))
    assert (np.diff(a) >= 0).all()


@every_activation
def test_not_a_number_stays_visible(name):
    assert np.isnan(apply(name, [np.nan])[0]).all()
