"""The monitored value, which selects the best weights for ``best.safetensors`` and rollbacks, and stops a run.

The training loss of an epoch is accumulated while the weights change. The monitored loss is that of the weights at the
end of the epoch, on the validation split or, without one, on a fixed subset of one in 24 training samples. A forward
pass over this subset takes less than 5 % of an epoch. With ``best_by: accuracy``, the accuracy on the validation split
is monitored in its place.
"""

from dataclasses import dataclass

import numpy as np

from cnntrain.config import Config, TrainingOptions
from cnntrain.config.schema.entries import all_entries
from cnntrain.data import Data, Dataset
from cnntrain.data.stratified import stratified_mask
from cnntrain.evaluation.scoring import Score, score
from cnntrain.network.network import Network
from cnntrain.parallel import SingleProcess
from cnntrain.types import Array

STREAM = 8
"""Random stream that draws the subset of training samples."""
SHARE = 24
"""One in ``SHARE`` training samples is monitored."""
MIN_COUNT = 64
"""Minimum number of monitored training samples."""


@dataclass(frozen=True, slots=True)
class MonitoredSplit:
    """The samples whose loss selects the best weights."""

    dataset: Dataset
    split: str
    """``validation``, or ``train`` for a subset of the training samples."""

    @classmethod
    def of(cls, data: Data, seed: int) -> "MonitoredSplit":
        """Return the monitored samples of a run on ``data``; they depend on the seed only."""
        if data.validation is not None:
            return cls(data.validation, "validation")
        train = data.train
        count = min(len(train), max(MIN_COUNT, len(train) // SHARE))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM,)))
        indices = np.flatnonzero(stratified_mask(train.labels, count, rng))
        rows = indices if train.rows is None else train.rows[indices]  # without copying pixels
        return cls(Dataset(train.images, train.labels[indices], rows), "train")


def monitored_value(score: Score, options: TrainingOptions) -> float:
    """Return what selects the best weights, lower is better: the loss, or 1 - accuracy for ``best_by: accuracy``."""
    return score.loss if options.best_by == "loss" else 1 - score.accuracy


def score_theta(theta: Array, network: Network, dataset: Dataset, data: Data) -> Score:
    """Return the score of ``theta``, computed in this process; the network's own theta is restored.

    The loss may be non-finite.
    """
    original = network.theta.copy()
    network.theta[...] = theta
    try:
        return score(network, dataset, data.preprocessing, SingleProcess(network.layout, network.dtype))
    finally:
        network.theta[...] = original


def only_in_training(config: Config) -> tuple[str, ...]:
    """Return the names of options that make training and validation loss incomparable."""
    options = config.training
    is_used = {
        "augmentation": not options.augmentation.changes_nothing,
        "dropout": any(entry.dropout and entry.dropout.rate > 0 for entry in all_entries(config.network.layers)),
        "label smoothing": options.label_smoothing > 0,
        "class weights": options.class_weights is not None,
    }
    return tuple(name for name, applies in is_used.items() if applies)
