"""The evaluation of a network on one split of the data."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.config import Config
from cnntrain.data import Dataset, Preprocessing
from cnntrain.evaluation import metrics
from cnntrain.evaluation.predictions import Predictions
from cnntrain.evaluation.scoring import Score, score
from cnntrain.network.network import Network
from cnntrain.parallel import SingleProcess, single_core
from cnntrain.types import Labels

MAX_MISTAKES = 25
"""Maximum number of errors, and of confused pairs of classes, in a report."""
MAX_CLASSES = 1000
"""Maximum number of classes for a confusion matrix, which then has a million entries."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Predictions of a network on one split, and the metrics that follow from them."""

    split: str
    dataset: Dataset
    classes: tuple[str, ...]
    score: Score
    predictions: Predictions
    config: Config | None = None
    """Config of the network, for advice."""

    def confusion(self) -> NDArray[np.int64] | None:
        """Return the confusion matrix, true classes in rows; None for more than 1,000 classes."""
        if len(self.classes) > MAX_CLASSES:
            return None
        return metrics.confusion_matrix(self.dataset.labels, self.predictions.predicted, len(self.classes))

    def correct(self) -> int:
        """Return the number of correct predictions."""
        return int(np.count_nonzero(self.predictions.predicted == self.dataset.labels))

    def bins(self) -> list[metrics.CalibrationBin] | None:
        """Return the bins of the calibration error; None if the outputs are not probabilities."""
        predictions = self.predictions
        if not predictions.are_probabilities or not np.isfinite(predictions.confidence).all():
            return None
        return metrics.calibration_bins(predictions.confidence, predictions.predicted == self.dataset.labels)

    def mistakes(self) -> Labels:
        """Return the samples of at most 25 wrong predictions, most confident first."""
        wrong = np.flatnonzero(self.predictions.predicted != self.dataset.labels)
        return wrong[np.argsort(-self.predictions.confidence[wrong], kind="stable")[:MAX_MISTAKES]]

    def result(self) -> dict[str, Any]:
        """Return what ``cnntrain eval --json`` prints."""
        labels, predicted, classes = self.dataset.labels, self.predictions.predicted, self.classes
        per_class, bins, confusion = (
            metrics.class_metrics(labels, predicted, len(classes)),
            self.bins(),
            self.confusion(),
        )
        k = metrics.top_k(sum(row.support > 0 for row in per_class))
        return {
            "split": self.split,
            **asdict(self.score),
            "classes": list(classes),
            "top_k": k and {"k": k, "accuracy": int((self.predictions.rank < k).sum()) / len(labels)},
            "calibration_error": None if bins is None else metrics.calibration_error(bins),
            "macro": metrics.macro(per_class),
            "weighted": metrics.weighted(per_class),
            "per_class": [{"class": name, **asdict(row)} for name, row in zip(classes, per_class, strict=True)],
            "confusion": None if confusion is None else confusion.tolist(),
            "confused": [
                {"true": classes[true], "predicted": classes[chosen], "samples": count}
                for true, chosen, count in metrics.frequent_confusions(labels, predicted, MAX_MISTAKES)
            ],
            "mistakes": [self._mistake(sample) for sample in self.mistakes().tolist()],
        }

    def file(self, sample: int) -> str | None:
        """Return the file name of a sample; None if the samples are not individual files."""
        names = self.dataset.names
        return None if names is None else names[sample]

    def _mistake(self, sample: int) -> dict[str, Any]:
        output = float(self.predictions.confidence[sample])
        return {
            "sample": sample,
            "file": self.file(sample),
            "true": self.classes[self.dataset.labels[sample]],
            "predicted": self.classes[self.predictions.predicted[sample]],
            "probability": output if self.predictions.are_probabilities else None,
            "output": output,
        }


def evaluate_network(
    network: Network,
    split: str,
    dataset: Dataset,
    preprocessing: Preprocessing,
    classes: tuple[str, ...],
    config: Config | None = None,
) -> EvaluationReport:
    """Evaluate ``network`` on a split; loss and accuracy have the same bits as at the end of training."""
    predictions = Predictions(network, len(dataset))
    with single_core():
        comm = SingleProcess(network.layout, network.dtype)
        total = score(network, dataset, preprocessing, comm, predictions)
    return EvaluationReport(split, dataset, classes, total, predictions, config)
