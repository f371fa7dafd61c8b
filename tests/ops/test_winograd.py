"""Winograd's way gives what the direct way gives, for every shape, and in float32 nearly as exactly."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnntrain.layers.conv import Conv
from cnntrain.ops.convolution import DirectConvolution
from cnntrain.ops.geometry import Geometry
from cnntrain.ops.phases import memory_shape
from cnntrain.ops.winograd import WinogradConvolution, pays
from cnntrain.ops.winograd_2d import Winograd2D

few = st.integers(1, 3)


def results(way, geometry, n, dtype="float64"):
    """z, dW and delta_prev of the same random numbers."""
    g, rng = geometry, np.random.default_rng(0)
    x, W, delta = (
        rng.normal(size=shape).astype(dtype)
        for shape in [
            (*memory_shape((g.H, g.C, g.W)), n),
            (g.F, g.F, g.C, g.K),
            (*memory_shape((g.OH, g.K, g.OW)), n),
        ]
    )
    convolution, dW = way(g, n, dtype), np.empty(W.shape, dtype)
    z = convolution.forward(x, W).copy()
    assert np.array_equal(convolution.infer(x, W), z)
    kernels = convolution.transformed(W)
    np.testing.assert_allclose(convolution.infer_transformed(x, kernels), z, rtol=0, atol=1e-5 * np.abs(z).max())
    assert kernels is W or (kernels.nbytes == convolution.transformed_bytes and kernels.flags.owndata)
    assert np.array_equal(convolution.forward(x, W), z)
    return {"z": z, "delta_prev": convolution.backward(delta, W, dW, True).copy(), "dW": dW}


def relative_errors(found, exact):
    return [np.abs(found[name] - exact[name]).max() / np.abs(exact[name]).max() for name in exact]


@settings(max_examples=60)
@given(
    st.integers(1, 15),
    st.one_of(st.integers(1, 8), st.integers(10, 24)),
    few,
    few,
    st.sampled_from([3, 5]),
    st.integers(0, 6),
    few,
)
@example(6, 6, 1, 1, 3, 0, 1)
@example(7, 3, 2, 3, 3, 3, 1)
@example(9, 7, 1, 1, 3, 6, 1)
@example(2, 2, 1, 1, 5, 2, 2)
@example(4, 16, 2, 2, 3, 1, 2)  # both widths in four phases
@example(4, 12, 2, 1, 5, 0, 2)  # only the image in four phases
@example(4, 10, 1, 2, 3, 2, 1)  # image in two, output in four
def test_it_is_the_direct_way_for_every_shape(H, W, C, K, F, P, n):
    P = max(P, -(-(F - min(H, W)) // 2))
    geometry = Geometry(H, C, W, K, F, P, 1)
    exact = results(DirectConvolution, geometry, n)
    for way in (WinogradConvolution, Winograd2D):
        assert max(relative_errors(results(way, geometry, n), exact)) < 1e-12


@pytest.mark.parametrize(
    ("way", "F", "loss"),
    [
        (WinogradConvolution, 3, 5e-6),
        (WinogradConvolution, 5, 5e-6),
        (Winograd2D, 3, 2e-5),
        (Winograd2D, 5, 2e-5),
    ],
)
def test_float32_loses_little(way, F, loss):
    geometry = Geometry(16, 64, 16, 64, F, F // 2, 1)
    exact = results(DirectConvolution, geometry, 4)
    found = results(way, geometry, 4, "float32")
    assert {value.dtype.name for value in found.values()} == {"float32"}
    assert max(relative_errors(found, exact)) < loss


@pytest.mark.parametrize("way", [WinogradConvolution, Winograd2D])
def test_memory_used_before_leaves_no_trace(way):
    geometry = Geometry(7, 2, 5, 3, 3, 1, 1)
    convolution, rng = way(geometry, 2, "float64"), np.random.default_rng(1)
    W, found = rng.normal(size=(3, 3, 2, 3)), []
    x, delta = rng.normal(size=(7, 2, 5, 2)), rng.normal(size=(7, 3, 5, 2))
    for scale in (1, 1e6, 1):
        z, dW = convolution.forward(scale * x, W).copy(), np.empty_like(W)
        found.append((z.tobytes(), convolution.backward(scale * delta, W, dW, True).tobytes(), dW.tobytes()))
    assert found[0] == found[2]


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        (Geometry(16, 64, 16, 64, 3, 1, 1), True),
        (Geometry(16, 64, 16, 64, 3, 1, 2), False),
        (Geometry(16, 64, 16, 64, 1, 0, 1), False),
        (Geometry(16, 1, 16, 64, 3, 1, 1), False),
        (Geometry(3, 64, 3, 64, 3, 0, 1), False),
    ],
)
def test_it_is_taken_where_it_pays(geometry, expected):
    assert pays(geometry) is expected


@pytest.mark.parametrize(
    ("geometry", "way"),
    [
        (Geometry(16, 64, 16, 32, 3, 1, 1), Winograd2D),
        (Geometry(16, 12, 16, 16, 3, 1, 1), Winograd2D),
        (Geometry(16, 11, 16, 64, 3, 1, 1), WinogradConvolution),
        (Geometry(16, 64, 3, 64, 3, 1, 1), WinogradConvolution),
        (Geometry(8, 64, 8, 64, 3, 1, 1), Winograd2D),
        (Geometry(8, 32, 8, 64, 3, 1, 1), WinogradConvolution),
        (Geometry(14, 64, 14, 64, 3, 1, 1), WinogradConvolution),
        (Geometry(12, 32, 12, 64, 5, 0, 1), Winograd2D),
        (Geometry(28, 16, 28, 16, 5, 2, 1), Winograd2D),
        (Geometry(14, 6, 14, 16, 5, 0, 1), WinogradConvolution),
        (Geometry(16, 64, 16, 64, 3, 1, 2), DirectConvolution),
    ],
)
def test_a_layer_takes_the_fastest_way(geometry, way):
    g = geometry
    layer = Conv(0, (g.H, g.C, g.W), np.zeros((g.K, g.C, g.F, g.F)), g.P, g.S)
    assert type(layer.cache(1, "float32")) is way
