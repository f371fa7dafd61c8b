"""The training loop (article, section 5).

::

    for epoch = 1 .. Max:
        for each batch:  theta -= alpha * sum over its samples of dJ/d theta
        stop if every W and b changed by less than epsilon

With ``batch_size: all`` and ``reduction: sum`` this is the article's algorithm; mini-batches, means, other optimizers
and learning-rate schedules extend it. An epoch is one pass over the training set. Every rank runs this same loop, see
``cnntrain.parallel``.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.data import Data, Dataset
from cnntrain.errors import DivergedError
from cnntrain.evaluation.scoring import Score, score
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator
from cnntrain.training import divergence
from cnntrain.training.batches import batch_count, batches
from cnntrain.training.events import BatchEnded, EpochEnded
from cnntrain.training.monitoring import MonitoredSplit, monitored_value
from cnntrain.training.running_statistics import RunningStatistics
from cnntrain.training.samples import TrainingSamples
from cnntrain.training.schedules import alpha_of
from cnntrain.training.state import TrainState
from cnntrain.training.stopping import reason_to_stop
from cnntrain.training.update import Update
from cnntrain.types import Array, Labels


@dataclass(frozen=True, slots=True)
class LoopEnded:
    """The end of training: why it ended, and the scores of the trained network."""

    stop: str
    """Result of ``reason_to_stop``."""
    scores: dict[str, Score | None]
    """Score on each split; None for a missing one."""


def train_loop(
    network: Network, data: Data, options: TrainingOptions, comm: Communicator, state: TrainState | None = None
) -> Generator[BatchEnded | EpochEnded | LoopEnded]:
    """Train and evaluate ``network``; yield after every batch and every epoch, and at the end.

    The caller may stop iterating at any time; it then closes the loop before it continues. A new loop with the same
    theta, optimizer state and training state then continues with the same bits.

    Args:
        network: Network; its theta is updated.
        data: Training, validation and test samples.
        options: ``training`` section of the config.
        comm: Communicator of this rank, which holds the optimizer state.
        state: Training state to start from, by default the initial one; updated.

    Raises:
        DivergedError: A loss or a parameter is not finite.
    """
    with comm.lock_step():
        for event in epochs(network, data, options, comm, state or TrainState()):
            comm.pause()
            yield event
            if not comm.proceed():
                return


def epochs(
    network: Network, data: Data, options: TrainingOptions, comm: Communicator, state: TrainState
) -> Iterator[BatchEnded | EpochEnded | LoopEnded]:
    """Train and evaluate ``network``; see ``train_loop``."""
    samples = TrainingSamples(data, options)
    trained, averaged = network.layout.split(comm.part)
    running = RunningStatistics(network, averaged)
    steps = batch_count(len(data.train), options.batch_size)
    update = Update(network, trained, comm, options, steps)
    weights = slice(0, network.layout.trainable_count)
    monitored = MonitoredSplit.of(data, options.seed)
    validation: Score | None = None
    while not (stop := reason_to_stop(state, options)):
        began = time.perf_counter() - state.seconds
        if state.before is None:
            state.before = network.theta.copy()
        factor, t0 = state.factor(options), state.restarted_after * steps
        order = batches(len(data.train), options.batch_size, options.seed, state.epoch, options.shuffle)
        for indices in samples.read_ahead(islice(order, state.batch, None)):
            gradient, loss, correct = batch_gradient(network, samples, state.epoch, indices, comm)
            if not math.isfinite(loss):
                raise DivergedError(divergence.batch_message(network, samples, state, indices, options))
            border = len(gradient) - running.count
            if running.count:
                running.step(gradient[border:], len(indices))
            update.step(gradient[:border], (state.epoch - 1) * steps + state.batch + 1, factor, t0)
            comm.allgather()
            state.add_batch(loss, correct, len(indices), time.perf_counter() - began)
            yield BatchEnded(state.epoch, state.batch, state.seen, state.loss / state.seen, state.seconds)
        with np.errstate(invalid="ignore"):
            max_change = float(np.abs(network.theta[weights] - state.before[weights]).max(initial=0.0))
        seconds = time.perf_counter() - began
        if not (np.isfinite(max_change) and np.isfinite(network.theta[weights.stop :]).all()):
            raise DivergedError(divergence.parameter_message(network, state, options))
        monitor = evaluate_split(network, data, monitored.dataset, monitored.split, comm, state, options)
        validation = monitor if monitored.split == "validation" else None
        ended = EpochEnded(
            epoch=state.epoch,
            train_loss=state.loss / state.seen,
            train_accuracy=state.correct / state.seen,
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            max_change=max_change,
            seconds=seconds,
            alpha=factor * alpha_of(state.epoch * steps, steps, options),
            monitor_loss=monitor.loss,
        )
        state.end_epoch(max_change, None if validation is None else monitored_value(validation, options), options)
        yield ended
    scores = {} if validation is None else {"validation": validation}
    for split, dataset in data.splits().items():
        if dataset is not None and split not in scores:
            scores[split] = evaluate_split(network, data, dataset, split, comm, state, options)
    yield LoopEnded(stop, {split: scores.get(split) for split in data.splits()})


@np.errstate(over="ignore", invalid="ignore")  # a non-finite loss is reported later
def batch_gradient(
    network: Network, samples: TrainingSamples, epoch: int, indices: Labels, comm: Communicator
) -> tuple[Array, float, int]:
    """Return this rank's part of the gradient of J on a batch, the summed loss and the correct predictions."""
    scale = network.objective.scale(len(indices))
    parts = network.micro_batches(len(indices))
    for i in comm.micro_batches(len(parts)):
        workspace = network.workspace(parts[i].stop - parts[i].start)
        labels = samples.load(workspace, epoch, indices[parts[i]])
        loss, correct, _ = network.forward_backward(workspace, labels, scale, comm.gradient_views(i, len(parts)))
        comm.add_gradient(i, len(parts), loss, correct)
    return comm.reduce_scatter(len(parts))


def evaluate_split(
    network: Network,
    data: Data,
    dataset: Dataset,
    split: str,
    comm: Communicator,
    state: TrainState,
    options: TrainingOptions,
) -> Score:
    """Return the score on a split.

    Raises:
        DivergedError: Its loss is not finite.
    """
    result = score(network, dataset, data.preprocessing, comm)
    if not np.isfinite(result.loss):
        raise DivergedError(divergence.loss_message(split, state, options))
    return result
