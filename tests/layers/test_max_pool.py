"""Ties: the gradient goes to one position, the first of a region read row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnntrain.config.schema.layers import PoolOptions
from cnntrain.layers.pool import MaxPool
from cnntrain.ops.phases import in_order, in_phases, phases


def delta_prev(x, k, S, delta=None):
    """What max pooling hands back for one channel and sample; ones go in by default."""
    layer = PoolOptions(k=k, S=S, type="max").make(0, (x.shape[0], 1, x.shape[1]), seed=0)
    cache = layer.cache(1, "float64")
    OH, _, OW = layer.out_shape
    layer.forward(in_phases(x[:, None, :, None].astype(float), phases(x.shape[1])), cache)
    delta = np.ones((OH, OW)) if delta is None else delta.copy()
    delta = in_phases(delta[:, None, :, None], phases(OW))
    return in_order(layer.backward(delta, cache, {}), phases(x.shape[1]))[:, 0, :, 0]


@pytest.mark.parametrize(
    ("region", "winner"),
    [
        ([[1, 1], [1, 1]], (0, 0)),
        ([[0, 1], [1, 0]], (0, 1)),
        ([[0, 1], [0, 1]], (0, 1)),
        ([[0, 0], [1, 1]], (1, 0)),
        ([[1, 0], [1, 2]], (1, 1)),
        ([[-1, -2], [-1, -1]], (0, 0)),
        ([[0, 2, 1], [2, 2, 0], [0, 2, 2]], (0, 1)),
        ([[0, 0, 0], [0, 0, 3], [3, 3, 3]], (1, 2)),
    ],
)
def test_in_a_tie_the_first_entry_gets_all(region, winner):
    expected = np.zeros(np.shape(region))
    expected[winner] = 1
    np.testing.assert_array_equal(delta_prev(np.array(region), len(region), None), expected)


@pytest.mark.parametrize("region", [[[-0.0, 0.0], [0.0, -0.0]], [[0.0, -0.0], [-0.0, 0.0]]])
def test_zeros_of_either_sign_give_the_gradient_to_one(region):
    assert sorted(delta_prev(np.array(region), 2, None).ravel()) == [0, 0, 0, 1]


@given(
    x=arrays.arrays(np.int8, st.tuples(st.integers(3, 7), st.integers(3, 16)), elements=st.integers(0, 2)),
    k=st.integers(1, 3),
    S=st.integers(1, 4),
)
def test_many_ties_go_where_a_search_row_by_row_ends(x, k, S):
    OH, OW = (x.shape[0] - k) // S + 1, (x.shape[1] - k) // S + 1
    delta, expected = np.arange(1.0, OH * OW + 1).reshape(OH, OW), np.zeros(x.shape)
    for oh, ow in np.ndindex(OH, OW):
        region = x[S * oh : S * oh + k, S * ow : S * ow + k]
        i, j = divmod(int(region.argmax()), k)  # argmax finds the first
        expected[S * oh + i, S * ow + j] += delta[oh, ow]
    np.testing.assert_array_equal(delta_prev(x, k, S, delta), expected)


def test_values_come_through_to_the_last_bit():
    """The winners are found by the sign of a difference: it must not leak into what they get."""
    rng = np.random.default_rng(0)
    x, delta = 1e3 * rng.normal(size=(12, 12)), rng.normal(size=(6, 6))
    found = delta_prev(x, 2, 2, delta)
    by_region = found.reshape(6, 2, 6, 2).transpose(0, 2, 1, 3).reshape(6, 6, 4)
    np.testing.assert_array_equal(np.sort(np.abs(by_region))[..., -1], np.abs(delta))
    np.testing.assert_array_equal(np.count_nonzero(by_region, axis=-1), 1)


def test_gradient_check_sees_that_the_winner_changes():
    layer = MaxPool(0, (2, 1, 4), (2, 2), 2)
    cache, patterns = layer.cache(1, "float64"), []
    for x in ([[1, 2, 0, 5], [0, 1, 4, 3]], [[2, 1, 0, 5], [0, 1, 4, 3]], [[2, 1, 0, 3], [0, 1, 4, 5]]):
        layer.forward(np.array(x, float)[:, None, :, None], cache)
        patterns.append(np.packbits(layer.pattern(cache) != 0).tobytes())
    assert len(set(patterns)) == 3
