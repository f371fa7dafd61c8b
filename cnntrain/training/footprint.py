"""How much memory a training takes, from shapes alone, and whether that much is free."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import OutOfMemoryError
from cnntrain.network.network import Network
from cnntrain.network.workspaces import workspace_bytes
from cnntrain.parallel.communicator import GROUPS
from cnntrain.parallel.free_memory import free_memory, process_memory, resident_memory
from cnntrain.training.sharing import samples_in_batch
from cnntrain.training.workers import number_of_workers

FIRST_PROCESS = 85_000_000
"""Bytes of Python, NumPy and what else cnntrain imports, in the process that loads, shows and saves."""
WORKER = 58_000_000
"""Bytes of the same in a worker."""
PLOTS = 40_000_000
"""Bytes that Matplotlib takes at the end, when the workers are gone."""
LOADING = 2.0
"""Memory that loading takes, as a multiple of the images: the file, the arrays in it, and the splits of these."""
CLEARLY, NEARLY = 1.25, 0.8
"""Shares of the free memory: a run that needs more than the first is refused, more than the second is warned of."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that a training takes at its peak.

    Attributes:
        total: Of all processes, what they share counted once.
        first: Of the first process.
        mapped: How many of these are images of a mapped file, which the system drops where memory is short.
    """

    total: int
    first: int
    mapped: int


def footprint(config: Config, network: Network, data: Data | None, workers: int) -> Footprint:
    """Return the memory of a run.

    Args:
        config: Of the run.
        network: Its shapes count; nothing is computed.
        data: The images and their number count; None: unknown, and not counted.
        workers: Ranks, see ``number_of_workers``.
    """
    splits = [] if data is None else [dataset for dataset in data.splits().values() if dataset is not None]
    stored = [dataset.images for dataset in splits if not dataset.is_mapped]
    mapped = sum(dataset.images.nbytes for dataset in splits if dataset.is_mapped)
    pixel = splits[0].images.dtype.itemsize if splits else 1
    loaded = sum(images.nbytes for images in stored)
    images = loaded * (1 if workers == 1 else 2)  # workers see a copy of their own
    batch = samples_in_batch(config, data)
    rest = len(data.train) % batch if data else 0
    micro_batches = len(list(network.micro_batches(batch)))
    learned = max(largest(network, batch), largest(network, rest))
    evaluated = max([learned, *(largest(network, len(dataset)) for dataset in splits)])
    gathered = evaluated * math.prod(network.in_shape) * pixel
    learning, watching = (workspace_bytes(network.layers, network.dtype, n, evaluated) + gathered for n in (learned, 0))
    busy = min(workers, micro_batches, GROUPS)
    *of_others, of_first = [learning] * busy + [watching] * (workers - busy)  # where there are few, the last ones learn
    vectors, of_worker = (count * network.theta.nbytes for count in vector_counts(config, micro_batches, workers))
    training = vectors + images + of_first
    first = FIRST_PROCESS + mapped + max(training, PLOTS + images, int(LOADING * loaded))
    others = sum(of_others) + (workers - 1) * (WORKER + of_worker)
    return Footprint(first + others, first, mapped)


def largest(network: Network, count: int) -> int:
    """Samples of the largest slice that ``count`` samples are cut into."""
    return max((part.stop - part.start for part in network.micro_batches(count)), default=0)


def vector_counts(config: Config, micro_batches: int, workers: int) -> tuple[int, int]:
    """Return how many vectors as long as theta the first process has at most, and any other has for itself.

    theta, gradients, the optimizer's states and theta before the epoch; while a checkpoint is saved also the best
    theta, a copy of the weights, and what is saved twice, as bytes of the tensors and as bytes of the file.
    """
    states, scratch = config.training.state_rows, int(micro_batches > GROUPS)
    gradients = min(micro_batches, GROUPS) if workers > 1 else min(micro_batches, 2)
    before = best = weights = 1
    return 1 + gradients + scratch + states + best + weights + 2 * (1 + states + best), before + scratch


def memory_of(config: Config, network: Network, data: Data | None) -> dict[str, Any]:
    """Return what ``summary`` and ``train --dry-run`` print of memory."""
    workers = number_of_workers(config, network, data)
    return {
        "workers": workers,
        "memory_bytes": footprint(config, network, data, workers).total,
        "memory_holds_data": data is not None,
        "free_memory_bytes": free_memory(),
    }


def check_memory(config: Config, network: Network, data: Data) -> Iterator[str]:
    """Compare what a run will take, beside what this process has taken already, with what is free.

    Yields:
        What is to be said where it is nearly as much.

    Raises:
        OutOfMemoryError: It is clearly more.
    """
    workers = number_of_workers(config, network, data)
    needed, taken = footprint(config, network, data, workers), resident_memory()
    for more, free, where in (
        (needed.total - needed.mapped - taken, free_memory(), "free here"),
        (needed.first - needed.mapped - taken, process_memory(), "left by the limit of this process (ulimit)"),
    ):
        if free is None or more <= NEARLY * free:
            continue
        sizes = f"training takes about {more / 1e9:,.3g} GB more memory, and {free / 1e9:,.3g} GB are {where}"
        if more > CLEARLY * free:
            raise OutOfMemoryError(f"{sizes}; {less_memory(config, network, workers)}")
        yield f"{sizes}: it may run out of memory; {less_memory(config, network, workers)}"


def less_memory(config: Config, network: Network, workers: int) -> str:
    """What needs less memory."""
    ways = [f"--workers {workers - 1}"] if workers > 1 else []
    batch = config.training.batch_size
    if batch == "all" or batch > 1:
        ways.append("a smaller training.batch_size")
    if isinstance(getattr(config.data, "size", None), tuple):
        ways.append("a smaller data.size")
    ways.append("a pool or a stride in an earlier layer" if len(network.in_shape) == 3 else "fewer units")
    return f"{', or '.join(ways)}, takes less"
