"""Random numbers that depend on the seed, the use, the epoch and the sample, and on nothing else."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.ops.counter_rng import CounterRng

COUNTS = st.integers(0, 2**40)


@given(epoch=COUNTS, sample=COUNTS, others=st.lists(st.tuples(COUNTS, COUNTS), max_size=5), used=st.integers(0, 9))
def test_numbers_do_not_depend_on_what_was_drawn_before(epoch, sample, others, used):
    draws = CounterRng(3, (7, 1))
    expected = draws.generator(epoch, sample).random(20)
    for other in others:
        draws.generator(*other).random(used, dtype=np.float32)
    np.testing.assert_array_equal(draws.generator(epoch, sample).random(20), expected)
    np.testing.assert_array_equal(CounterRng(3, (7, 1)).generator(epoch, sample).random(20), expected)


def test_seed_use_iteration_and_sample_each_give_other_numbers():
    rows = [
        CounterRng(seed, use).generator(epoch, sample).random(1000)
        for seed, use, epoch, sample in itertools.product((0, 1), ((4,), (5,), (5, 1)), (1, 2), (0, 1))
    ]
    correlations = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlations).max() < 0.15  # five deviations of what chance gives
