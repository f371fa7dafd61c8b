"""Samples of one group are never divided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data.dataset import Dataset
from cnntrain.data.stratified import grouped_mask, hold_out
from cnntrain.errors import DataError

samples = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=2, max_size=80)


@given(samples, st.floats(0.01, 0.6), st.integers(0, 9))
def test_groups_are_whole_and_every_class_remains(pairs, share, seed):
    labels, groups = map(np.array, zip(*pairs, strict=True))
    total = max(1, round(share * len(labels)))
    drawn = grouped_mask(labels, groups, total, np.random.default_rng(seed))
    assert not set(groups[drawn]) & set(groups[~drawn])
    assert set(labels[~drawn]) == set(labels)
    again = grouped_mask(labels, groups, total, np.random.default_rng(seed))
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize(("classes", "persons", "of_each"), [(2, 40, 5), (5, 20, 3), (3, 100, 1)])
def test_the_share_is_nearly_that(classes, persons, of_each):
    labels = np.repeat(np.arange(classes), persons * of_each)
    groups = np.repeat(np.arange(classes * persons), of_each)
    for seed in range(5):
        drawn = grouped_mask(labels, groups, len(labels) // 5, np.random.default_rng(seed))
        assert (abs(np.bincount(labels[drawn]) - persons * of_each / 5) <= of_each).all()


def test_small_classes_are_drawn_alike():
    """Of 20 classes of 4 groups a tenth is 8 groups, of any classes."""
    labels = np.repeat(np.arange(20), 4)
    counts = np.zeros(20)
    for seed in range(200):
        drawn = grouped_mask(labels, np.arange(80), 8, np.random.default_rng(seed))
        assert drawn.sum() == 8
        counts += np.bincount(labels[drawn], minlength=20)
    assert abs(counts - 80).max() < 40


def test_what_is_held_out_keeps_its_groups():
    data = Dataset(
        np.zeros((8, 1, 1, 1), np.uint8), np.array([0, 1] * 4), None, None, np.array([7, 7, 3, 3, 9, 9, 5, 5])
    )
    train, held = hold_out(data, 0.25, np.random.default_rng(0))
    assert set(train.groups) | set(held.groups) == {3, 5, 7, 9}
    assert not set(train.groups) & set(held.groups)


PERSONS = [f"{kind}/p{person}_{i}.png" for person in range(8) for i in range(3) for kind in ("cat", "dog")]


def test_a_group_by_the_name(photos, Told):
    folder = photos(*PERSONS)
    for seed in range(3):
        told = Told(folder, group=r"/(p\d+)_", test=0.25, validation=0.2, seed=seed)
        persons = {split: {name[4:6] for name in told.names(split)} for split in ("train", "validation", "test")}
        assert [len(persons[split]) for split in ("train", "validation", "test")] == [5, 1, 2]
        assert len(set.union(*persons.values())) == 8
        assert told.data.choices == ("groups: 8 by data.group, each within one split",)


def test_a_group_by_a_column(photos, Told):
    folder = photos(*PERSONS)
    rows = [f"{name},{name[:3]},{name[4:6]}" for name in PERSONS]
    (folder / "l.csv").write_text("\n".join(["file,label,person", *rows]))
    told = Told(folder, labels=folder / "l.csv", group="person", test=0.25, validation=0.0)
    assert not {name[4:6] for name in told.names("train")} & {name[4:6] for name in told.names("test")}
    assert len(told.names("test")) == 12


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("person", "data.group names a column, but there is no labels file"),
        (r"(\d", "is not a regular expression"),
        (r"(p)(\d)", "has 2 groups in parentheses, but exactly one is needed"),
        (r"(?:p)", "has 0 groups"),
        (r"/(q)", "finds no group in 48 of 48 paths, such as 'cat/p0_0.png'"),
        (r"/(p0)", "finds no group in 42 of 48"),
        (r"(x*)", "finds no group in 48 of 48"),
    ],
)
def test_groups_that_are_none(photos, Told, group, words):
    with pytest.raises(DataError) as caught:
        Told(photos(*PERSONS), group=group)
    assert words in str(caught.value)


def test_splits_that_divide_a_group(photos, Told):
    folder = photos("train/a/p1_1.png", "train/b/p2_1.png", "test/a/p1_2.png", "test/b/p3_1.png")
    with pytest.raises(DataError, match=r"divide the group 'p1' between test and train: train/a/p1_1\.png"):
        Told(folder, group=r"/(p\d)_")


def test_no_group_to_spare(photos, Told):
    told = Told(photos("a/p1_1.png", "a/p1_2.png", "b/p2_1.png", "b/p2_2.png"), group=r"/(p\d)_")
    assert told.notes == ["data.test: no class has a group to spare for test",
                          "data.validation: no class has a group to spare for validation"]  # fmt: skip
