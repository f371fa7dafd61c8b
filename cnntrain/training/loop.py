"""The training algorithm (article, section 5), an iteration after the other.

::

    for iter = 1 .. Max:
        for each batch:  theta -= alpha * sum over its samples of dJ/d theta
        stop when every W and b changed by less than epsilon in the iteration

With ``batch_size: all`` and ``reduction: sum`` this is the article's algorithm; mini-batches, means, other optimizers
and schedules of alpha extend it. An iteration is one pass over the training set. Every rank runs this same program, see
``cnntrain.parallel``.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.data import Data, Dataset
from cnntrain.errors import DivergedError
from cnntrain.judging.scoring import Score, score
from cnntrain.network import Network
from cnntrain.parallel import Communicator
from cnntrain.training import divergence
from cnntrain.training.averages import RunningAverages
from cnntrain.training.batches import batch_count, batches
from cnntrain.training.descent import Descent
from cnntrain.training.events import BatchEnded, IterationEnded
from cnntrain.training.loading import TrainingSamples
from cnntrain.training.monitoring import Monitored
from cnntrain.training.progress import Progress
from cnntrain.training.schedules import alpha_of
from cnntrain.training.stopping import reason_to_stop
from cnntrain.types import Array, Labels


@dataclass(frozen=True, slots=True)
class Judged:
    """The end of the program: why it ended, and the trained network's score on each split, None where there is none."""

    stop: str
    """As ``reason_to_stop`` says."""
    scores: dict[str, Score | None]


def program(
    network: Network, data: Data, options: TrainingOptions, comm: Communicator, here: Progress | None = None
) -> Iterator[BatchEnded | IterationEnded | Judged]:
    """Train ``network`` and judge it; yield after every batch and every iteration, and at the end.

    To stop sooner, stop asking for more. Whoever then begins again with the same theta, states and progress goes on as
    if it had not stopped.

    Args:
        network: Its theta is changed.
        data: What is learned, and judged by.
        options: Of ``training``.
        comm: Knows the other ranks, and keeps the optimizer's states.
        here: Where to begin, by default at the beginning; follows the program.

    Raises:
        DivergedError: A loss or a parameter became infinite or not a number.
    """
    here = here or Progress()
    samples = TrainingSamples(data, options)
    trained, averaged = network.layout.split(comm.part)
    averages = RunningAverages(network, averaged)
    steps = batch_count(len(data.train), options.batch_size)
    descent = Descent(network, trained, comm, options, steps)
    weights = slice(0, network.layout.trained_count)
    monitored = Monitored.of(data, options.seed)
    validation: Score | None = None
    while not (stop := reason_to_stop(here, options)):
        began = time.perf_counter() - here.seconds
        if here.before is None:
            here.before = network.theta.copy()
        order = batches(len(data.train), options.batch_size, options.seed, here.iteration, options.shuffle)
        for places in islice(order, here.batch, None):
            gradient, loss, right = learn(network, samples, here.iteration, places, comm)
            if not np.isfinite(loss):
                raise DivergedError(divergence.of_batch(network, samples, here, places, options))
            averages.step(gradient[len(gradient) - averages.count :], len(places))
            t = (here.iteration - 1) * steps + here.batch + 1
            forgotten = here.restarted_after * steps
            descent.step(gradient[: len(gradient) - averages.count], t, here.alpha_factor, forgotten)
            comm.publish()
            here.learned(loss, right, len(places), time.perf_counter() - began)
            yield BatchEnded(here.iteration, here.batch, here.seen, here.loss / here.seen, here.seconds)
        with np.errstate(invalid="ignore"):
            max_change = float(np.abs(network.theta[weights] - here.before[weights]).max(initial=0.0))
        seconds = time.perf_counter() - began
        if not (np.isfinite(max_change) and np.isfinite(network.theta[weights.stop :]).all()):
            raise DivergedError(divergence.of_parameters(network, here, options))
        monitor = judge(network, data, monitored.dataset, monitored.split, comm, here, options)
        validation = monitor if monitored.split == "validation" else None
        ended = IterationEnded(
            iteration=here.iteration,
            train_loss=here.loss / here.seen,
            train_accuracy=here.right / here.seen,
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            max_change=max_change,
            seconds=seconds,
            alpha=here.alpha_factor * alpha_of(here.iteration * steps, steps, options),
            monitor_loss=monitor.loss,
        )
        here.next_iteration(max_change, ended.validation_loss)
        yield ended
    scores = {} if validation is None else {"validation": validation}
    for split, dataset in data.splits().items():
        if dataset is not None and split not in scores:
            scores[split] = judge(network, data, dataset, split, comm, here, options)
    yield Judged(stop, {split: scores.get(split) for split in data.splits()})


def learn(
    network: Network, samples: TrainingSamples, iteration: int, places: Labels, comm: Communicator
) -> tuple[Array, float, int]:
    """Return my part of the gradient of J of one batch, its loss (summed) and its right answers."""
    scale = network.objective.scale(len(places))
    parts = list(network.slices(len(places)))
    for i in comm.slices(len(parts)):
        memory = network.memory(parts[i].stop - parts[i].start)
        labels = samples.load(memory, iteration, places[parts[i]])
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is told in our own words
            loss, right, _ = network.learn_slice(memory, labels, scale, comm.place(i, len(parts)))
        comm.learned(i, len(parts), loss, right)
    return comm.sum(len(parts))


def judge(
    network: Network,
    data: Data,
    dataset: Dataset,
    split: str,
    comm: Communicator,
    here: Progress,
    options: TrainingOptions,
) -> Score:
    """Return the score on samples of a split.

    Raises:
        DivergedError: Its loss is not finite: the last step broke the network.
    """
    result = score(network, dataset, data.preprocessing, comm)
    if not np.isfinite(result.loss):
        raise DivergedError(divergence.of_loss(split, here, options))
    return result
