"""Short trainings on few samples, by the code that trains; each starts from new weights and saves nothing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnntrain.builder import build_for
from cnntrain.config import Config, config_from_dict
from cnntrain.data import Data, Dataset
from cnntrain.data.stratified import stratified_mask
from cnntrain.errors import DivergedError
from cnntrain.evaluation.scoring import Score, score
from cnntrain.network.network import Network
from cnntrain.training.batches import batch_count
from cnntrain.training.diagnostics import LayerDiagnostics, diagnose_layers
from cnntrain.training.events import BatchEnded
from cnntrain.training.loop import train_loop
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.workers import process_group
from cnntrain.types import Array, Labels

STREAM = 21
"""Spawn key of the random numbers that choose samples and shuffle labels."""
MAX_OPERATIONS = 3e11
"""Floating-point operations of a short training, forward and backward; a few seconds of one core."""
MAX_STEPS, MIN_STEPS = 80, 40
MAX_HELD_OUT = 500
"""Held-out samples that are evaluated."""
HELD_OUT_SHARE = 0.2
"""Share of the training samples to hold out if the data have neither validation nor test samples."""


@dataclass
class ShortTraining:
    """What a short training showed."""

    steps: int = 0
    samples: int = 0
    """Training samples."""
    losses: list[float] = field(default_factory=list)
    """Mean loss of each batch, in training mode."""
    ratios: dict[str, list[float]] = field(default_factory=dict)
    """|step| / |W| of each W in each step (norms), by name; NaN where W was 0."""
    held_out: Score | None = None
    by_split: dict[str, Score] = field(default_factory=dict)
    """The same for each held-out split, if there are two."""
    layers: list[LayerDiagnostics] = field(default_factory=list)
    """Diagnostics of the layers at the end."""
    diverged: str = ""
    """Why it diverged; empty if it did not."""


def generator(seed: int, purpose: int) -> np.random.Generator:
    """Return the random generator for a purpose."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM, purpose)))


def some_samples(dataset: Dataset, count: int, seed: int, purpose: int) -> Dataset:
    """Return ``count`` samples, each class in proportion, or all if there are no more; in their order."""
    if count >= len(dataset):
        return dataset
    return dataset.take(np.flatnonzero(stratified_mask(dataset.labels, count, generator(seed, purpose))))


def held_out_samples(data: Data, seed: int) -> tuple[Dataset, dict[str, Dataset]]:
    """Return training samples, and held-out samples by the split that they are from."""
    splits = {name: dataset for name, dataset in data.splits().items() if dataset is not None and name != "train"}
    if splits:
        most = MAX_HELD_OUT // len(splits)
        return data.train, {name: some_samples(dataset, most, seed, 0) for name, dataset in splits.items()}
    count = min(MAX_HELD_OUT, max(1, round(HELD_OUT_SHARE * len(data.train))))
    mask = stratified_mask(data.train.labels, count, generator(seed, 0))
    train = data.train.take(np.flatnonzero(~mask))
    return train, {"train, held out": data.train.take(np.flatnonzero(mask))}


def miniature(config: Config, network: Network, train: Dataset) -> tuple[Config, Dataset]:
    """Return the run in miniature: its whole learning-rate schedule over fewer samples and epochs.

    Args:
        config: Config of the run.
        network: Its network, for the number of operations.
        train: Training samples to choose from.
    """
    options = config.training
    per_sample = 6.0 * sum(layer.multiply_adds for layer in network.layers)
    affordable = max(1, int(MAX_OPERATIONS / max(per_sample, 1.0)))
    if options.batch_size == "all":
        count = min(len(train), max(1, affordable // MIN_STEPS))
        epochs = max(MIN_STEPS, min(MAX_STEPS, affordable // count))
    else:
        seen = options.batch_size * max(MIN_STEPS, min(MAX_STEPS, affordable // options.batch_size))
        count = min(len(train), seen)
        epochs = max(1, round(seen / count))
    share = epochs / min(options.Max, 10**9)
    training: dict[str, Any] = config.resolved()["training"] | {"Max": epochs, "patience": 0, "epsilon": 0.0}
    if training.get("warmup"):
        training["warmup"] *= min(share, 1.0)
    if training.get("step_every"):
        training["step_every"] = max(1, round(training["step_every"] * min(share, 1.0)))
    if options.batch_size == "all" and options.reduction == "sum":
        training["alpha"] *= len(train) / count  # J is a sum over fewer samples
    small = config_from_dict(config.resolved() | {"training": training}, "miniature")
    return small, some_samples(train, count, options.seed, 1)


def without_regularization(config: Config, alpha: float, steps: int) -> Config:
    """Return a config that overfits: Adam, all samples in each step, no penalty, dropout or augmentation."""
    options = config.training
    training = {
        "optimizer": "adam",
        "alpha": alpha,
        "Max": steps,
        "batch_size": "all",
        "loss": options.loss,
        "seed": options.seed,
        "dtype": options.dtype,
    }
    content = {**config.resolved(), "training": training}
    content["network"] = without_dropout(content["network"])
    return config_from_dict(content, "without regularization")


def without_dropout(value: Any) -> Any:
    """Return plain data of ``network`` with the rate of each dropout set to 0."""
    if isinstance(value, dict):
        return {key: {"rate": 0.0} if key == "dropout" else without_dropout(item) for key, item in value.items()}
    return [without_dropout(item) for item in value] if isinstance(value, list) else value


def balanced_shuffle(labels: Labels, rng: np.random.Generator) -> Labels:
    """Return labels that say nothing about the images: each class gets all labels in their overall proportions.

    After an ordinary shuffle, one label leads in each class by chance, and a network that learned it would look right.
    """
    counts = np.bincount(labels)
    # Evenly spaced in 0..1, label by label: neighbors in this order have labels in the overall proportions.
    places = np.concatenate([(np.arange(count) + rng.random()) / count for count in counts if count])
    shuffled = np.empty_like(labels)
    shuffled[np.argsort(labels, kind="stable")] = np.sort(labels)[np.argsort(places, kind="stable")]
    for label in np.flatnonzero(counts).tolist():
        members = np.flatnonzero(labels == label)
        shuffled[members] = shuffled[rng.permutation(members)]
    return shuffled


def train_briefly(
    config: Config,
    data: Data,
    stop: Callable[[float], bool] = lambda loss: False,  # noqa: ARG005
    splits: Mapping[str, Dataset] | None = None,
) -> ShortTraining:
    """Train a new network on ``data`` until Max, or until ``stop`` says so of the loss of a batch.

    Args:
        config: Config of the short training.
        data: Its samples; the accuracy on those of ``test`` is computed at the end.
        stop: Takes the mean loss of a batch; returns whether to stop.
        splits: Parts of the samples of ``test``, to be scored by themselves, too.
    """
    network = build_for(config, data)
    short = ShortTraining(samples=len(data.train))
    steps = batch_count(len(data.train), config.training.batch_size) * config.training.Max
    weights = {name: slot.slice for name, slot in network.layout.trained.items() if slot.key == "W"}
    with process_group(config, network, data, 1) as (comm, shared):
        before, seen, total = network.theta.copy(), 0, 0.0
        try:
            for event in train_loop(network, shared, config.training, comm):
                if not isinstance(event, BatchEnded):
                    continue
                if event.batch == 1:
                    seen, total = 0, 0.0
                short.steps += 1
                short.losses.append((event.loss * event.samples - total) / (event.samples - seen))
                seen, total = event.samples, event.loss * event.samples
                for name, part in weights.items():
                    short.ratios.setdefault(name, []).append(relative_change(before[part], network.theta[part]))
                before[...] = network.theta
                if stop(short.losses[-1]) or short.steps == steps:
                    break
        except DivergedError as error:
            short.diverged = str(error)
        else:
            short.layers = diagnose_layers(network, TrainingSamples(shared, config.training), 1)
            if data.test is not None:
                short.held_out = score(network, data.test, data.preprocessing, comm)
            for split, samples in (splits or {}).items():
                short.by_split[split] = score(network, samples, data.preprocessing, comm)
    return short


def relative_change(before: Array, after: Array) -> float:
    """Return |after - before| / |before|, norms; NaN if ``before`` is 0."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        moved = float(np.linalg.norm((after - before).astype(np.float64)))
        size = float(np.linalg.norm(before.astype(np.float64)))
    return moved / size if size else math.nan


def with_samples(data: Data, train: Dataset, held_out: Dataset | None = None) -> Data:
    """Return data with other samples."""
    return replace(data, train=train, validation=None, test=held_out)
