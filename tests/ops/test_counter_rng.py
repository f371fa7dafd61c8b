"""Random numbers that depend on the seed, the use, the epoch and the sample, and on nothing else."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.ops.counter_rng import CounterRng, SampleIds

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


@given(epoch=COUNTS, samples=st.lists(COUNTS, min_size=1, max_size=6), count=st.integers(0, 9))
def test_the_numbers_of_a_micro_batch_are_those_of_its_samples(epoch, samples, count):
    rng, ids = CounterRng(3, (7, 1)), SampleIds(epoch, np.array(samples))
    words = np.empty((len(samples), count), np.uint64)
    rng.words(ids, words)
    for sample, numbers, bits in zip(samples, rng.uniform(ids, count), words, strict=True):
        np.testing.assert_array_equal(numbers, rng.generator(epoch, sample).random(count))
        np.testing.assert_array_equal(bits, rng.generator(epoch, sample).bit_generator.random_raw(count))


def test_the_numbers_are_those_of_philox_at_the_counter_of_the_sample():
    key = np.random.SeedSequence(3, spawn_key=(7, 1)).generate_state(2, np.uint64)
    expected = np.random.Generator(np.random.Philox(key=key, counter=[0, 2**40, 5, 0])).random(20)
    np.testing.assert_array_equal(CounterRng(3, (7, 1)).generator(5, 2**40).random(20), expected)
