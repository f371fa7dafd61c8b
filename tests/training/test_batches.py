"""Which samples make up which batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.training.batches import batch_count, batches

counts, sizes = st.integers(1, 200), st.one_of(st.just("all"), st.integers(1, 250))


@given(counts, sizes, st.integers(0, 2**40), st.integers(1, 50), st.booleans())
def test_every_sample_is_taken_once(samples, size, seed, epoch, shuffle):
    parts = list(batches(samples, size, seed, epoch, shuffle))
    assert sorted(np.concatenate(parts).tolist()) == list(range(samples))
    whole = samples if size == "all" else size
    assert [len(part) for part in parts[:-1]] == [whole] * (len(parts) - 1)
    assert 0 < len(parts[-1]) <= whole
    assert len(parts) == batch_count(samples, size)


def order(seed, epoch, size=10):
    return np.concatenate(list(batches(100, size, seed, epoch))).tolist()


def test_order_follows_from_seed_and_iteration_alone():
    assert order(3, 5) == order(3, 5)
    assert len({tuple(order(seed, epoch)) for seed in range(4) for epoch in range(1, 6)}) == 20


def test_order_does_not_depend_on_the_batch_size():
    assert order(3, 5, size=10) == order(3, 5, size=33)


def test_order_stays_that_of_the_data_without_shuffling_and_in_one_batch():
    assert np.concatenate(list(batches(100, 32, 0, 1, shuffle=False))).tolist() == list(range(100))
    assert [part.tolist() for part in batches(100, "all", 0, 1)] == [list(range(100))]


def test_order_of_one_shuffled_batch_is_not_that_of_the_data():
    assert order(0, 1, size=100) != list(range(100))
