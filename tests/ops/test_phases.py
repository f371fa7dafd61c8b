"""The order of columns in memory: every column in one place, and moves that miss none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.network.array_layout import class_indices, from_edge, to_edge
from cnntrain.ops.phases import in_order, in_phases, memory_shape, moves, phases

quotients = st.sampled_from([1, 2, 4])


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 40), st.integers(1, 3))
def test_memory_holds_each_column_once(H, C, W, n):
    x, Q = np.arange(H * C * W * n).reshape(H, C, W, n), phases(W)
    in_memory = in_phases(x, Q)
    assert in_memory.shape == (*memory_shape((H, C, W)), n)
    np.testing.assert_array_equal(in_order(in_memory, Q), x)
    for w in range(W):
        rows = in_memory.reshape(H, Q, C, W // Q, n)
        np.testing.assert_array_equal(rows[:, w % Q, :, w // Q], x[:, :, w])


@given(quotients, quotients, st.integers(1, 4), st.integers(0, 9), st.integers(0, 9), st.integers(0, 20))
def test_moves_pair_each_window_with_its_pixel(Q_windows, Q_pixels, S, o, w, count):
    windows, pixels = slice(o, o + count), slice(w, w + S * count, S)
    found = [
        (Q_windows * window + move.q, Q_pixels * pixel + move.phase)
        for move in moves(windows, pixels, Q_windows, Q_pixels)
        for window, pixel in zip(range(99)[move.windows], range(99)[move.pixels], strict=True)
    ]
    assert sorted(found) == [(o + i, w + S * i) for i in range(count)]


@pytest.mark.parametrize("W", [7, 14, 28])
def test_callers_see_no_phases(W):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, W))
    np.testing.assert_array_equal(to_edge(from_edge(x), (4, 3, W)), x)


def test_classes_of_an_image_count_in_the_order_of_callers():
    scores = np.arange(2 * 3 * 12).reshape(1, 2, 3, 12)
    in_memory = from_edge(scores).reshape(-1)
    np.testing.assert_array_equal(in_memory[class_indices((3, 2, 12))], np.arange(72))
