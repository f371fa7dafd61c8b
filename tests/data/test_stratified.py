import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data.dataset import Dataset
from cnntrain.data.stratified import hold_out, stratified_mask
from cnntrain.errors import DataError


def numbered(labels):
    """A data set whose image i shows the number i."""
    labels = np.array(labels, dtype=np.int64)
    return Dataset(np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1), labels)


def places(dataset):
    return dataset.images.ravel().astype(int).tolist()


data_sets = st.lists(st.integers(0, 5), min_size=2, max_size=60).map(numbered)


@given(data_sets, st.floats(0.01, 0.5), st.integers(0, 9))
def test_both_parts_together_are_the_whole_in_its_order(dataset, share, seed):
    train, held = hold_out(dataset, share, np.random.default_rng(seed))
    assert sorted(places(train) + places(held)) == list(range(len(dataset)))
    for part in (train, held):
        assert places(part) == sorted(places(part))
        np.testing.assert_array_equal(part.labels, dataset.labels[places(part)])


@given(data_sets, st.floats(0.01, 0.5), st.integers(0, 9))
def test_each_class_gives_its_share_within_one_sample(dataset, share, seed):
    _, held = hold_out(dataset, share, np.random.default_rng(seed))
    assert len(held) == max(1, round(share * len(dataset)))
    quotas = np.bincount(dataset.labels) * len(held) / len(dataset)
    assert (abs(np.bincount(held.labels, minlength=len(quotas)) - quotas) < 1).all()


@given(data_sets, st.integers(0, 9))
def test_the_same_seed_holds_out_the_same_samples(dataset, seed):
    first, second = (hold_out(dataset, 0.3, np.random.default_rng(seed))[1] for _ in range(2))
    assert places(first) == places(second)


def test_another_seed_holds_out_other_samples():
    dataset = numbered([0, 1] * 50)
    drawn = {tuple(places(hold_out(dataset, 0.1, np.random.default_rng(seed))[1])) for seed in range(20)}
    assert len(drawn) == 20


def test_every_sample_is_held_out_equally_often():
    dataset = numbered([0] * 10 + [1] * 20)
    counts = np.zeros(30)
    for seed in range(600):
        counts[places(hold_out(dataset, 0.2, np.random.default_rng(seed))[1])] += 1
    assert abs(counts - 120).max() < 5 * np.sqrt(600 * 0.2 * 0.8)


def test_a_share_of_0_holds_out_nothing():
    dataset = numbered([0, 1])
    train, held = hold_out(dataset, 0.0, np.random.default_rng(0))
    assert train is dataset
    assert held is None


def test_a_tiny_share_holds_out_one_sample():
    assert len(hold_out(numbered([0, 1, 2]), 0.001, np.random.default_rng(0))[1]) == 1


@pytest.mark.parametrize(("labels", "share"), [([0], 0.1), ([0, 1], 1.0), ([0, 1, 2], 0.9)])
def test_one_sample_at_least_must_remain(labels, share):
    with pytest.raises(DataError) as caught:
        hold_out(numbered(labels), share, np.random.default_rng(0))
    assert str(caught.value) == (
        f"data.validation: {share:g} of {len(labels)} training samples leaves none to train on; choose a smaller share"
    )


@pytest.mark.parametrize(("of_each", "share"), [(4, 0.1), (5, 0.2 / 3), (1, 0.3), (2, 0.05)])
def test_classes_of_one_size_are_drawn_alike(of_each, share):
    dataset = numbered(np.repeat(np.arange(20), of_each))
    counts = np.zeros(20)
    for seed in range(300):
        counts[hold_out(dataset, share, np.random.default_rng(seed))[1].labels] += 1
    expected = 300 * max(1, round(share * 20 * of_each)) / 20
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)


@given(data_sets, st.floats(0.01, 0.9), st.integers(0, 9))
def test_a_class_keeps_a_sample_to_train_on(dataset, share, seed):
    """What it may not give, others give."""
    total = min(max(1, round(share * len(dataset))), len(dataset) - 1)
    drawn = stratified_mask(dataset.labels, total, np.random.default_rng(seed), keep=1)
    counts, held = np.bincount(dataset.labels), np.bincount(dataset.labels[drawn], minlength=6)
    assert (held[: len(counts)] <= np.maximum(counts - 1, 0)).all()
    if share <= 0.2 and counts[counts > 0].min() > 1:
        assert drawn.sum() == total


def test_without_ties_the_draw_is_that_of_old():
    dataset = numbered([0] * 10 + [1] * 23 + [2] * 31)
    assert places(hold_out(dataset, 0.13, np.random.default_rng(7))[1]) == [0, 10, 16, 27, 35, 49, 53, 54]
