"""All that is found out about a network on one split of the data."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data import Dataset, Preprocessing
from cnntrain.evaluation import metrics
from cnntrain.evaluation.predictions import Predictions
from cnntrain.evaluation.scoring import Score, score
from cnntrain.network.network import Network
from cnntrain.parallel import SingleProcess, one_blas_thread
from cnntrain.types import Labels

MAX_MISTAKES = 25
"""Mistakes, and pairs of classes mixed up, that are named."""
MAX_CLASSES = 1000
"""Classes that a confusion matrix is made for: one of a million numbers."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The answers of a network to one split, and the figures that follow from them."""

    split: str
    dataset: Dataset
    classes: tuple[str, ...]
    score: Score
    answers: Predictions

    def confusion(self) -> NDArray[np.int64] | None:
        """True classes in rows, predicted ones in columns; None for more than 1,000 classes."""
        if len(self.classes) > MAX_CLASSES:
            return None
        return metrics.confusion_matrix(self.dataset.labels, self.answers.predicted, len(self.classes))

    def correct(self) -> int:
        """How many samples the network is right about."""
        return int(np.count_nonzero(self.answers.predicted == self.dataset.labels))

    def bins(self) -> list[metrics.Bin] | None:
        """The bins of the calibration error; None where outputs are no probabilities."""
        answers = self.answers
        if not answers.are_probabilities or not np.isfinite(answers.confidence).all():
            return None
        return metrics.calibration_bins(answers.confidence, answers.predicted == self.dataset.labels)

    def mistakes(self) -> Labels:
        """The samples that the network is wrong about, at most 25, those first that it is surest of."""
        wrong = np.flatnonzero(self.answers.predicted != self.dataset.labels)
        return wrong[np.argsort(-self.answers.confidence[wrong], kind="stable")[:MAX_MISTAKES]]

    def result(self) -> dict[str, Any]:
        """What ``cnntrain eval --json`` prints."""
        labels, predicted, classes = self.dataset.labels, self.answers.predicted, self.classes
        figures, bins, confusion = metrics.class_figures(labels, predicted, len(classes)), self.bins(), self.confusion()
        k = metrics.top_k(sum(of_class.support > 0 for of_class in figures))
        return {
            "split": self.split,
            **asdict(self.score),
            "classes": list(classes),
            "top_k": k and {"k": k, "accuracy": int((self.answers.rank < k).sum()) / len(labels)},
            "calibration_error": None if bins is None else metrics.calibration_error(bins),
            "macro": metrics.macro(figures),
            "weighted": metrics.weighted(figures),
            "per_class": [{"class": name, **asdict(of_class)} for name, of_class in zip(classes, figures, strict=True)],
            "confusion": None if confusion is None else confusion.tolist(),
            "confused": [
                {"true": classes[true], "predicted": classes[taken], "samples": count}
                for true, taken, count in metrics.frequent_confusions(labels, predicted, MAX_MISTAKES)
            ],
            "mistakes": [self._mistake(sample) for sample in self.mistakes().tolist()],
        }

    def file(self, sample: int) -> str | None:
        """The file that a sample comes from, where each is a file of its own."""
        names = self.dataset.names
        return None if names is None else names[sample]

    def _mistake(self, sample: int) -> dict[str, Any]:
        output = float(self.answers.confidence[sample])
        return {
            "sample": sample,
            "file": self.file(sample),
            "true": self.classes[self.dataset.labels[sample]],
            "predicted": self.classes[self.answers.predicted[sample]],
            "probability": output if self.answers.are_probabilities else None,
            "output": output,
        }


def evaluate_network(
    network: Network, split: str, dataset: Dataset, preprocessing: Preprocessing, classes: tuple[str, ...]
) -> EvaluationReport:
    """Show ``network`` every sample of a split, by the very sums that a training ends with."""
    answers = Predictions(network, len(dataset))
    with one_blas_thread():
        found = score(network, dataset, preprocessing, SingleProcess(network.layout, network.dtype), answers)
    return EvaluationReport(split, dataset, classes, found, answers)
