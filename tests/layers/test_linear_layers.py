"""Conv, fc and pool are linear in x, and in W, so

    sum z ⊙ delta  =  sum x ⊙ delta_prev  =  sum W ⊙ dW

whatever their sizes: a mistake in any border, stride or gap breaks it.
"""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cnntrain.config.schema.layers import ConvOptions, FcOptions
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import AveragePool, MaxPool
from cnntrain.ops.phases import in_order, in_phases, memory_shape, phases

sides, few = st.integers(1, 9), st.integers(1, 3)
widths = st.one_of(sides, st.integers(10, 25))
"""Of images whose columns are stored by phase, too."""


def sums(layer, n):
    """The three sums; the last is missing for a pool."""
    rng = np.random.default_rng(0)
    x, delta = (rng.normal(size=(*memory_shape(shape), n)) for shape in (layer.in_shape, layer.out_shape))
    cache = layer.cache(n, "float64")
    found = [np.vdot(layer.forward(x.copy(), cache), delta)]
    grads = {name: np.empty(value.shape) for name, value in layer.params.items()}
    found.append(np.vdot(x, layer.backward(delta, cache, grads)))
    found += [np.vdot(layer.params[name], grads[name]) for name in grads]
    return found


def forward(layer, x):
    """The output for ``x`` (H, C, W, N) or (features, N), in that order."""
    image = len(layer.in_shape) == 3
    y = layer.forward((in_phases(x, phases(x.shape[2])) if image else x).copy(), layer.cache(x.shape[-1], "float64"))
    return in_order(y, phases(layer.out_shape[2])) if len(layer.out_shape) == 3 else y


def windows(x, size, S):
    """Every window of ``x`` (H, C, W, N): (OH, C, OW, N, size, size)."""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 2))[::S, :, ::S]


# A convolution of many channels may be computed in another way.
channels = st.one_of(few, st.integers(16, 18))


@given(H=sides, W=widths, C=channels, K=channels, F=st.integers(1, 6), P=st.integers(0, 7), S=st.integers(1, 5), n=few)
@example(H=9, W=7, C=16, K=17, F=3, P=1, S=1, n=2)
@example(H=9, W=7, C=16, K=16, F=3, P=6, S=1, n=1)  # rows of windows that see only padding
@example(H=8, W=9, C=17, K=16, F=5, P=2, S=1, n=3)
def test_conv(H, W, C, K, F, P, S, n):
    F = min(F, H + 2 * P, W + 2 * P)
    layer = ConvOptions(K=K, F=F, P=P, S=S).make(0, (H, C, W), seed=1)
    x = np.random.default_rng(2).normal(size=(H, C, W, n))
    padded = np.pad(x, ((P, P), (0, 0), (P, P), (0, 0)))
    expected = np.einsum("hcwnij,kcij->hkwn", windows(padded, F, S), layer.to_edge("W", layer.params["W"]))
    np.testing.assert_allclose(forward(layer, x), expected, rtol=0, atol=1e-12)
    assert sums(layer, n) == pytest.approx([np.mean(sums(layer, n))] * 3, abs=1e-10)


@given(
    H=sides, W=widths, C=few, k=st.integers(1, 5), S=st.integers(1, 6), n=few, type=st.sampled_from(["max", "average"])
)
def test_pool(H, W, C, k, S, n, type):
    k = min(k, H, W)
    layer = {"max": MaxPool, "average": AveragePool}[type](0, (H, C, W), (k, k), S)
    x = np.random.default_rng(2).normal(size=(H, C, W, n))
    regions = windows(x, k, S)
    expected = regions.max(axis=(-2, -1)) if type == "max" else regions.mean(axis=(-2, -1))
    np.testing.assert_allclose(forward(layer, x), expected, rtol=0, atol=1e-14)
    assert sums(layer, n) == pytest.approx([np.mean(sums(layer, n))] * 2, abs=1e-10)


@given(in_shape=st.one_of(st.tuples(sides), st.tuples(few, few, widths)), units=st.integers(1, 6), n=few)
def test_fc(in_shape, units, n):
    layer = FcOptions(units=units).make(0, in_shape, seed=1)
    x = np.random.default_rng(2).normal(size=(*in_shape, n))
    in_edge_order = x.transpose(1, 0, 2, 3) if len(in_shape) == 3 else x  # an image is read in C, H, W order
    expected = layer.to_edge("W", layer.params["W"]) @ in_edge_order.reshape(math.prod(in_shape), n)
    np.testing.assert_allclose(forward(layer, x), expected, rtol=0, atol=1e-12)
    assert sums(layer, n) == pytest.approx([np.mean(sums(layer, n))] * 3, abs=1e-10)


@pytest.mark.parametrize("units", [10, 120, 256, 385])
@pytest.mark.parametrize("features", [400, 1024, 4096])
@pytest.mark.parametrize("n", [1, 16, 32])
def test_a_large_fc_is_its_formula_in_pieces(units, features, n):
    rng = np.random.default_rng(0)
    layer = Fc(0, (features,), rng.normal(size=(units, features)))
    x, delta = (rng.normal(size=(size, n)) for size in (features, units))
    cache, W, dW = layer.cache(n, "float64"), layer.params["W"], np.empty((units, features))
    np.testing.assert_allclose(layer.forward(x, cache), W @ x, rtol=0, atol=1e-11)
    np.testing.assert_allclose(layer.backward(delta, cache, {"W": dW}), W.T @ delta, rtol=0, atol=1e-11)
    np.testing.assert_allclose(dW, delta @ x.T, rtol=0, atol=1e-11)
