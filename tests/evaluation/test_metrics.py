"""Figures by hand, and against scikit-learn where it is installed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.evaluation import metrics

# Cats, dogs and birds: 3 of 4 cats are correct and 1 is predicted to be a dog; 1 of 3 dogs is predicted to be a cat;
# both birds are predicted to be cats, and nothing is predicted to be a bird.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 1, 0, 1, 0, 1, 0, 0])


def test_confusion_has_true_classes_in_rows():
    assert metrics.confusion_matrix(LABELS, PREDICTED, 3).tolist() == [[3, 1, 0], [1, 2, 0], [2, 0, 0]]


def test_precision_recall_and_f1_by_hand():
    cat, dog, bird, none = metrics.class_metrics(LABELS, PREDICTED, 4)
    assert (cat.precision, cat.recall, cat.support) == (3 / 6, 3 / 4, 4)
    assert cat.f1 == pytest.approx(2 * (1 / 2) * (3 / 4) / (1 / 2 + 3 / 4), rel=1e-15)
    assert (dog.precision, dog.recall, dog.f1, dog.support) == (2 / 3, 2 / 3, 4 / 6, 3)
    assert (bird.precision, bird.recall, bird.f1, bird.support) == (None, 0.0, 0.0, 2)
    assert (none.precision, none.recall, none.f1, none.support) == (None, None, None, 0)


def test_averages_by_hand():
    figures = metrics.class_metrics(LABELS, PREDICTED, 4)
    macro, weighted = metrics.macro(figures), metrics.weighted(figures)
    assert macro["precision"] == pytest.approx((3 / 6 + 2 / 3 + 0) / 3)
    assert macro["recall"] == pytest.approx((3 / 4 + 2 / 3 + 0) / 3)
    assert weighted["precision"] == pytest.approx((4 * 3 / 6 + 3 * 2 / 3) / 9)
    assert weighted["recall"] == pytest.approx(5 / 9)  # the accuracy


def test_frequent_confusions_come_first():
    assert metrics.frequent_confusions(LABELS, PREDICTED, 2) == [(2, 0, 2), (0, 1, 1)]
    assert metrics.frequent_confusions(LABELS, LABELS, 2) == []


@pytest.mark.parametrize(("classes", "k"), [(2, None), (9, None), (10, 3), (19, 3), (20, 5), (1000, 5)])
def test_top_k_is_told_where_guessing_is_mostly_wrong(classes, k):
    assert metrics.top_k(classes) == k


def test_calibration_error_by_hand():
    # Two samples at 0.95 in the last bin, one right: |0.5 - 0.95|. One at 0.45 in (6/15, 7/15], right: |1 - 0.45|.
    bins = metrics.calibration_bins(np.array([0.95, 0.45, 0.95]), np.array([True, True, False]))
    assert [m for m, b in enumerate(bins) if b.samples] == [6, 14]
    assert metrics.calibration_error(bins) == pytest.approx(2 / 3 * 0.45 + 1 / 3 * 0.55)


@pytest.mark.parametrize(("probability", "m"), [(1 / 15, 0), (1 / 15 + 1e-9, 1), (0.5, 7), (1.0, 14), (1 + 1e-7, 14)])
def test_bins_are_open_below_and_closed_above(probability, m):
    bins = metrics.calibration_bins(np.array([probability]), np.array([True]))
    assert bins[m].samples == 1


def test_someone_who_is_always_sure_and_right_is_calibrated():
    bins = metrics.calibration_bins(np.ones(5, np.float32), np.ones(5, bool))
    assert metrics.calibration_error(bins) == 0


answers = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(*2 * [st.integers(0, classes - 1)]), min_size=1, max_size=40).map(np.array),
    )
)


@given(answers)
def test_figures_are_those_of_the_matrix(case):
    classes, pairs = case
    labels, predicted = pairs.T
    confusion = metrics.confusion_matrix(labels, predicted, classes)
    assert confusion.sum() == len(pairs)
    for c, figures in enumerate(metrics.class_metrics(labels, predicted, classes)):
        column, row = confusion[:, c].sum(), confusion[c].sum()
        assert figures.precision == (confusion[c, c] / column if column else None)
        assert figures.recall == (confusion[c, c] / row if row else None)
        assert figures.support == row
    weighted = metrics.weighted(metrics.class_metrics(labels, predicted, classes))
    assert weighted["recall"] == pytest.approx((labels == predicted).mean())


@settings(max_examples=25)
@given(answers)
def test_figures_are_those_of_scikit_learn(case):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    classes, pairs = case
    labels, predicted = pairs.T
    ours = metrics.class_metrics(labels, predicted, classes)
    theirs = sklearn_metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=np.nan
    )
    for mine, *others in zip(ours, *theirs, strict=True):
        figures = [mine.precision, mine.recall, mine.f1, mine.support]
        np.testing.assert_allclose([np.nan if x is None else x for x in figures], others, rtol=1e-12)
    present = np.unique(labels)
    for average, mine in (("macro", metrics.macro(ours)), ("weighted", metrics.weighted(ours))):
        *others, _ = sklearn_metrics.precision_recall_fscore_support(
            labels, predicted, labels=present, average=average, zero_division=0
        )
        np.testing.assert_allclose(list(mine.values()), others, rtol=1e-12)
