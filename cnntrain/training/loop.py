"""The training algorithm (article, section 5), an iteration after the other.

::

    for iter = 1 .. Max:
        for each batch:  theta -= alpha * sum over its samples of dJ/d theta
        stop when every W and b changed by less than epsilon in the iteration

With ``batch_size: all`` and ``reduction: sum`` this is the article's algorithm; mini-batches, means and momentum extend
it. An iteration is one pass over the training set.
"""

import time
from collections.abc import Iterator

import numpy as np

from cnntrain.config import TrainingOptions
from cnntrain.data import Data
from cnntrain.errors import DivergedError
from cnntrain.network import Network
from cnntrain.training.batches import batch_count, batches
from cnntrain.training.descent import Descent
from cnntrain.training.evaluation import score
from cnntrain.training.events import BatchEnded, IterationEnded
from cnntrain.types import Array, Labels


def iterate(network: Network, data: Data, options: TrainingOptions) -> Iterator[BatchEnded | IterationEnded]:
    """Train ``network``; yield after every batch and every iteration. Stopping is the caller's: stop asking for more.

    Raises:
        DivergedError: A loss or a parameter became infinite or not a number.
    """
    descent = Descent(network, options.alpha, options.momentum, options.nesterov)
    for iteration in range(1, options.Max + 1):
        before = network.theta.copy()
        began = time.perf_counter()
        loss, right, seen = 0.0, 0, 0
        count = batch_count(len(data.train.labels), options.batch_size)
        order = batches(len(data.train.labels), options.batch_size, options.seed, iteration, options.shuffle)
        for batch, places in enumerate(order, start=1):
            batch_loss, batch_right, gradient = learn(network, data, places)
            if not np.isfinite(batch_loss):
                raise DivergedError(divergence(network, data, places, f"iteration {iteration}, batch {batch}", options))
            descent.step(gradient)
            loss, right, seen = loss + batch_loss, right + batch_right, seen + len(places)
            yield BatchEnded(iteration, batch, seen, loss / seen, time.perf_counter() - began)
        max_change = float(np.abs(network.theta - before).max())
        if not np.isfinite(max_change):
            raise DivergedError(overflow(network, f"iteration {iteration}, batch {count}", options))
        seconds = time.perf_counter() - began
        validation = score(network, data.validation, data.preprocessing) if data.validation else None
        yield IterationEnded(
            iteration=iteration,
            train_loss=loss / seen,
            train_accuracy=right / seen,
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            max_change=max_change,
            seconds=seconds,
        )
        if max_change < options.epsilon:
            return


def learn(network: Network, data: Data, places: Labels) -> tuple[float, int, Array]:
    """Return loss (summed), right answers and the gradient of J of one batch, its slices summed in their order."""
    scale = network.objective.scale(len(places))
    loss, right = 0.0, 0
    total = network.total
    total.fill(0)
    for part in network.slices(len(places)):
        memory = network.memory(part.stop - part.start)
        data.preprocessing.columns(data.train.images, places[part], memory.x)
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is told in our own words
            part_loss, part_right, _ = network.learn_slice(memory, data.train.labels[places[part]], scale)
        total += memory.gradient
        loss, right = loss + part_loss, right + part_right
    return loss, right, total


def divergence(network: Network, data: Data, places: Labels, where: str, options: TrainingOptions) -> str:
    """One sentence about a loss that is not finite: where it came from and what to try."""
    for part in network.slices(len(places)):
        memory = network.memory(part.stop - part.start)
        data.preprocessing.columns(data.train.images, places[part], memory.x)
        layer = network.first_not_finite(memory)
        if layer:
            return f"{where}: the loss is not finite; the first output that is not is that of {layer}; {advice(options)}"
    return f"{where}: the loss is not finite, though every layer's output is; {advice(options)}"


def overflow(network: Network, where: str, options: TrainingOptions) -> str:
    """One sentence about parameters that are not finite."""
    names = [name for name, value in network.parameters().items() if not np.isfinite(value).all()]
    return f"{where}: {names[0]} is no longer finite; {advice(options)}"


def advice(options: TrainingOptions) -> str:
    """What to try when a run diverges."""
    words = [f"try a smaller training.alpha than {options.alpha:g}"]
    if options.reduction == "sum":
        words.append("training.reduction: mean")
    if options.momentum:
        words.append("less momentum")
    return ", or ".join(words)
