"""Which weights are the best: the loss that ``best.safetensors`` and a rollback go by.

The training loss of an epoch is summed while the weights still change, so it belongs to none of them. What is compared
is the loss of the very weights that the epoch ends with: on the validation samples, or where none are held out on one
in 24 of the training samples, the same ones throughout the run. A forward pass over these takes less than 5 % of an
epoch.
"""

from dataclasses import dataclass

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data, Dataset
from cnntrain.data.stratified import stratified_mask
from cnntrain.evaluation.scoring import Score, score
from cnntrain.network.network import Network
from cnntrain.parallel import SingleProcess
from cnntrain.types import Array

STREAM = 8
"""The consumer of the seed that draws the training samples."""
SHARE = 24
"""One of so many training samples is monitored."""
MIN_COUNT = 64
"""Training samples that are monitored at least, if there are as many."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """The samples whose loss says which weights are the best."""

    dataset: Dataset
    split: str
    """``validation``, or ``train`` for a part of the training samples."""

    @classmethod
    def of(cls, data: Data, seed: int) -> "Monitored":
        """Return the samples that a run on ``data`` goes by; they follow from the seed."""
        if data.validation is not None:
            return cls(data.validation, "validation")
        train = data.train
        count = min(len(train), max(MIN_COUNT, len(train) // SHARE))
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM,)))
        indices = np.flatnonzero(stratified_mask(train.labels, count, rng))
        rows = indices if train.rows is None else train.rows[indices]  # no pixel is copied
        return cls(Dataset(train.images, train.labels[indices], rows), "train")


def score_of(theta: Array, network: Network, dataset: Dataset, data: Data) -> Score:
    """Return the score of ``theta`` in this process alone; ``network`` keeps its own.

    The loss may be infinite or not a number.
    """
    kept = network.theta.copy()
    network.theta[...] = theta
    try:
        return score(network, dataset, data.preprocessing, SingleProcess(network.layout, network.dtype))
    finally:
        network.theta[...] = kept


def only_in_training(config: Config) -> tuple[str, ...]:
    """Name what makes the training loss of an epoch another measure than the validation loss; often nothing does."""
    options = config.training
    found = {
        "augmentation": not options.augmentation.changes_nothing,
        "dropout": any(entry.dropout is not None and entry.dropout.rate > 0 for entry in config.network.layers),
        "label smoothing": options.label_smoothing > 0,
        "class weights": options.class_weights is not None,
    }
    return tuple(name for name, is_there in found.items() if is_there)
