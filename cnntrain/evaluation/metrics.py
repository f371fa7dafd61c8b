"""Classification metrics, from true and predicted classes and from confidences.

A metric that would be 0/0 is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnntrain.types import Array, Labels

BINS = 15
"""Number of bins of the calibration error."""


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix: rows are true classes, columns predicted classes.

    Shape:
        labels ``(N,)``, predicted ``(N,)`` -> ``(classes, classes)``
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def frequent_confusions(labels: Labels, predicted: Labels, count: int) -> list[tuple[int, int, int]]:
    """Return the ``count`` most frequent errors: true class, predicted class, number of samples."""
    wrong = np.stack([labels, predicted], axis=1)[labels != predicted]
    pairs, counts = np.unique(wrong, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:count]
    return [(*pairs[i].tolist(), int(counts[i])) for i in order]


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """Metrics of one class, from its true positives (TP), false negatives (FN) and false positives (FP)."""

    precision: float | None
    """TP / (TP + FP); None if the class was never predicted."""
    recall: float | None
    """TP / (TP + FN); None if the class has no samples."""
    f1: float | None
    """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; None if both are None."""
    support: int
    """TP + FN: number of samples of the class."""


def class_metrics(labels: Labels, predicted: Labels, classes: int) -> list[ClassMetrics]:
    """Return the metrics of each class.

    Shape:
        labels ``(N,)``, predicted ``(N,)``
    """
    supports, predictions, corrects = (
        np.bincount(numbers, minlength=classes).tolist() for numbers in (labels, predicted, labels[labels == predicted])
    )
    return [
        ClassMetrics(_ratio(correct, chosen), _ratio(correct, support), _ratio(2 * correct, support + chosen), support)
        for correct, support, chosen in zip(corrects, supports, predictions, strict=True)
    ]


def macro(metrics: Sequence[ClassMetrics]) -> dict[str, float | None]:
    """Return the macro averages of precision, recall and F1: every class has the same weight.

    Classes without samples are left out. A class that was never predicted has precision 0: leaving it out would reward
    a network for never predicting it.
    """
    return _average(metrics, [1 if row.support else 0 for row in metrics])


def weighted(metrics: Sequence[ClassMetrics]) -> dict[str, float | None]:
    """Return the averages of precision, recall and F1, weighted by the support of each class; see ``macro``."""
    return _average(metrics, [row.support for row in metrics])


def top_k(classes: int) -> int | None:
    """Return the k of a meaningful top-k accuracy: 5 for 20 or more classes, 3 for 10 or more, None for fewer.

    Guessing at random is then correct at most 30 % of the time.
    """
    return 5 if classes >= 20 else 3 if classes >= 10 else None


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Samples whose confidence is in ((m - 1)/15, m/15]."""

    samples: int
    probability: float
    """Mean confidence; 0 for an empty bin."""
    accuracy: float
    """Accuracy; 0 for an empty bin."""


def calibration_bins(probability: Array, correct: NDArray[np.bool_]) -> list[CalibrationBin]:
    """Sort samples by confidence into bins of equal width (Guo et al. 2017, arXiv:1706.04599).

    Shape:
        probability ``(N,)`` of the predicted class, correct ``(N,)``
    """
    indices = np.clip(np.ceil(probability.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(indices, minlength=BINS)
    divisors = np.maximum(counts, 1)
    confidence = np.bincount(indices, probability, BINS) / divisors
    accuracy = np.bincount(indices, correct, BINS) / divisors
    return [
        CalibrationBin(*values) for values in zip(counts.tolist(), confidence.tolist(), accuracy.tolist(), strict=True)
    ]


def calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Return the expected calibration error: sum over bins of n_bin / N |accuracy - mean confidence|."""
    total = sum(b.samples for b in bins)
    return sum(b.samples / total * abs(b.accuracy - b.probability) for b in bins)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _average(metrics: Sequence[ClassMetrics], weights: Sequence[int]) -> dict[str, float | None]:
    def of(name: str) -> float | None:
        values = [(getattr(row, name) or 0.0) * weight for row, weight in zip(metrics, weights, strict=True)]
        return sum(values) / sum(weights) if sum(weights) else None

    return {name: of(name) for name in ("precision", "recall", "f1")}
