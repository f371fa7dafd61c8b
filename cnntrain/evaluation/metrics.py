"""Figures on what a network said: from true and predicted classes, and from how sure it was.

A figure that would be 0/0 is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnntrain.types import Array, Labels

BINS = 15
"""Of the calibration error."""


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Return how many samples of each true class (row) were taken for each class (column).

    Shape:
        labels ``(N,)``, predicted ``(N,)`` -> ``(classes, classes)``
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def frequent_confusions(labels: Labels, predicted: Labels, most: int) -> list[tuple[int, int, int]]:
    """Return true class, predicted class and samples of what is mixed up, the most frequent first."""
    wrong = np.stack([labels, predicted], axis=1)[labels != predicted]
    pairs, counts = np.unique(wrong, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [(*pairs[i].tolist(), int(counts[i])) for i in order]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: TP are its samples that were recognized, FN the others, FP samples of other classes taken for it."""

    precision: float | None
    """TP / (TP + FP); None if no sample was taken for the class."""
    recall: float | None
    """TP / (TP + FN); None if there is no sample of the class."""
    f1: float | None
    """2 TP / (2 TP + FP + FN), the harmonic mean of both; None if there is neither."""
    support: int
    """TP + FN, samples of the class."""


def class_figures(labels: Labels, predicted: Labels, classes: int) -> list[ClassFigures]:
    """Return the figures of each class.

    Shape:
        labels ``(N,)``, predicted ``(N,)``
    """
    supports, takens, corrects = (
        np.bincount(numbers, minlength=classes).tolist() for numbers in (labels, predicted, labels[labels == predicted])
    )
    return [
        ClassFigures(_ratio(correct, taken), _ratio(correct, support), _ratio(2 * correct, support + taken), support)
        for correct, support, taken in zip(corrects, supports, takens, strict=True)
    ]


def macro(figures: Sequence[ClassFigures]) -> dict[str, float | None]:
    """Return the means of precision, recall and F1 over the classes, each class counting the same.

    Classes without samples are left out. A class that nothing was taken for counts with a precision of 0: to leave it
    out would reward a network for never naming it.
    """
    return _average(figures, [1 if of_class.support else 0 for of_class in figures])


def weighted(figures: Sequence[ClassFigures]) -> dict[str, float | None]:
    """Return the means of precision, recall and F1 over the classes, each counting by its samples; see ``macro``."""
    return _average(figures, [of_class.support for of_class in figures])


def top_k(classes: int) -> int | None:
    """Return the k for which top-k accuracy says something: 5 from 20 classes on, 3 from 10 on, none for fewer.

    So guessing is never right more often than every third time.
    """
    return 5 if classes >= 20 else 3 if classes >= 10 else None


@dataclass(frozen=True, slots=True)
class Bin:
    """The samples whose predicted class has a probability in ((m - 1)/15, m/15]."""

    samples: int
    probability: float
    """Their mean; 0 if there are none."""
    accuracy: float
    """Share of them that are right; 0 if there are none."""


def calibration_bins(probability: Array, correct: NDArray[np.bool_]) -> list[Bin]:
    """Sort samples by how sure the network is, into bins of equal width (Guo et al. 2017, arXiv:1706.04599).

    Shape:
        probability ``(N,)`` of the predicted class, right ``(N,)``
    """
    indices = np.clip(np.ceil(probability.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(indices, minlength=BINS)
    divisors = np.maximum(counts, 1)
    confidence = np.bincount(indices, probability, BINS) / divisors
    accuracy = np.bincount(indices, correct, BINS) / divisors
    return [Bin(*values) for values in zip(counts.tolist(), confidence.tolist(), accuracy.tolist(), strict=True)]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the sum over the bins of n_bin / N |accuracy - mean probability|."""
    total = sum(b.samples for b in bins)
    return sum(b.samples / total * abs(b.accuracy - b.probability) for b in bins)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _average(figures: Sequence[ClassFigures], weights: Sequence[int]) -> dict[str, float | None]:
    def of(name: str) -> float | None:
        values = [(getattr(of_class, name) or 0.0) * weight for of_class, weight in zip(figures, weights, strict=True)]
        return sum(values) / sum(weights) if sum(weights) else None

    return {name: of(name) for name in ("precision", "recall", "f1")}
