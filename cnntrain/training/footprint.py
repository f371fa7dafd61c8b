"""Estimated memory of a training run, computed from shapes, and the check against the free memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import OutOfMemoryError
from cnntrain.layers.folding import folded_bytes
from cnntrain.network.network import Network
from cnntrain.network.workspaces import workspace_bytes
from cnntrain.parallel.free_memory import free_memory, process_memory, resident_memory
from cnntrain.parallel.mpi_job import current_session
from cnntrain.parallel.summation_tree import row_starts
from cnntrain.training.sharing import max_processes, micro_batch_counts, samples_in_batch
from cnntrain.training.workers import number_of_workers

FIRST_PROCESS = 85_000_000
"""Bytes of Python, NumPy and the other imports in the first process, which loads, prints and saves."""
WORKER = 58_000_000
"""The same for a worker process."""
PLOTS = 40_000_000
"""Bytes of Matplotlib at the end, when the workers are gone."""
LOADING = 2.0
"""Peak memory of loading, as a multiple of the images: file, arrays and splits."""
REFUSE_ABOVE, WARN_ABOVE = 1.25, 0.8
"""Fractions of the free memory."""


@dataclass(frozen=True)
class Footprint:
    """Peak memory of a run in bytes.

    Attributes:
        total: Memory of all processes; shared memory counts once.
        first: Memory of the first process.
        mapped: Part of it that is a memory-mapped file, which the system can drop.
    """

    total: int
    first: int
    mapped: int


def footprint(config: Config, network: Network, data: Data | None, workers: int) -> Footprint:
    """Estimate the memory of a run.

    Args:
        config: Config of the run.
        network: Network; only its shapes are used.
        data: Data of the run; None if unknown, and then not counted.
        workers: Number of processes, see ``number_of_workers``.
    """
    splits = [] if data is None else [dataset for dataset in data.splits().values() if dataset is not None]
    distinct = {id(dataset.images): dataset for dataset in splits}.values()  # splits of a folder share one file
    mapped = sum(dataset.images.nbytes for dataset in distinct if dataset.is_mapped)
    loaded = sum(dataset.images.nbytes for dataset in distinct if not dataset.is_mapped)
    pixel = splits[0].images.dtype.itemsize if splits else 1
    images = loaded
    if workers > 1:  # workers use a shared copy of each split's images
        images += sum(dataset.images.nbytes for dataset in splits if not dataset.is_mapped)
    batch = samples_in_batch(config, data)
    rest = len(data.train) % batch if data else 0
    trained = max(largest(network, batch), largest(network, rest))
    evaluated = max([trained, *(largest(network, len(dataset)) for dataset in splits)])
    gathered = evaluated * math.prod(network.in_shape) * pixel
    busy = min(workers, max_processes(config, network, data))
    gathered += folded_bytes(network.layers, network.dtype)
    of_ranks = [workspace_bytes(network.layers, network.dtype, trained, evaluated, network.frozen) + gathered] * busy
    if busy < workers:
        idle_rank = workspace_bytes(network.layers, network.dtype, 0, evaluated, network.frozen) + gathered
        of_ranks += [idle_rank] * (workers - busy)
    *of_others, of_first = of_ranks
    counts = micro_batch_counts(config, network, data)
    session = current_session()
    found = vector_counts(config, counts, workers) if session is None else rank_vectors(config, counts, session.size)
    vectors, of_worker = (count.bytes_of(network) for count in found)
    training = vectors + images + of_first
    first = FIRST_PROCESS + mapped + max(training, PLOTS + images, int(LOADING * loaded))
    others = sum(of_others) + (workers - 1) * (WORKER + of_worker)
    return Footprint(first + others, first, mapped)


def largest(network: Network, count: int) -> int:
    """Return the size of the largest micro-batch of ``count`` samples."""
    return max([part.stop - part.start for part in network.micro_batches(count)], default=0)


@dataclass(frozen=True)
class Vectors:
    """Numbers of vectors: of theta's size, and of the size of a gradient, which has nothing of frozen layers."""

    theta: int
    gradients: int

    def bytes_of(self, network: Network) -> int:
        """Return their size in bytes."""
        entries = self.theta * network.layout.theta_size + self.gradients * network.layout.size
        return entries * network.theta.itemsize


def vector_counts(config: Config, counts: Sequence[int], workers: int) -> tuple[Vectors, Vectors]:
    """Return the maximum number of vectors in the first process, and in a worker (not shared).

    These are theta, the gradients of all ranks, the optimizer state and theta at the beginning of the epoch; while a
    checkpoint is saved also the best theta, a copy of the weights, and the checkpoint twice, as tensors and as a file.

    Args:
        config: Config of the run.
        counts: Numbers of micro-batches that a batch may have.
        workers: Number of processes.
    """
    states, gradients = config.training.state_rows, row_starts(counts, workers)[-1]
    before = best = weights = 1
    return Vectors(1 + best + weights + 2 * (1 + best), gradients + 3 * states), Vectors(before, 0)


def rank_vectors(config: Config, counts: Sequence[int], ranks: int) -> tuple[Vectors, Vectors]:
    """Return the same for rank 0 of an MPI job and for another rank, which share no vectors.

    Each has theta, its gradients and those that it receives, its part of the optimizer state, and theta at the
    beginning of the epoch.
    """
    starts = row_starts(counts, ranks)
    gradients = max(end - start for start, end in pairwise(starts)) + 1
    of_first, before = vector_counts(config, counts, ranks)
    first = Vectors(of_first.theta, of_first.gradients - starts[-1] + gradients)
    return first, Vectors(1 + before.theta, gradients + -(-config.training.state_rows // ranks))


def memory_of(config: Config, network: Network, data: Data | None) -> dict[str, Any]:
    """Return what ``summary`` and ``train --dry-run`` print about memory."""
    workers = number_of_workers(config, network, data)
    return {
        "workers": workers,
        "memory_bytes": footprint(config, network, data, workers).total,
        "memory_holds_data": data is not None,
        "free_memory_bytes": free_memory(),
    }


def check_memory(config: Config, network: Network, data: Data) -> Iterator[str]:
    """Compare the memory that a run still has to allocate with the free memory.

    Yields:
        A warning if memory is tight.

    Raises:
        OutOfMemoryError: The run needs clearly more memory than is free.
    """
    workers = number_of_workers(config, network, data)
    needed, taken = footprint(config, network, data, workers), resident_memory()
    for more, free, where in (
        (needed.total - needed.mapped - taken, free_memory(), "free here"),
        (needed.first - needed.mapped - taken, process_memory(), "left by the limit of this process (ulimit)"),
    ):
        if free is None or more <= WARN_ABOVE * free:
            continue
        sizes = f"training takes about {more / 1e9:,.3g} GB more memory, and {free / 1e9:,.3g} GB are {where}"
        if more > REFUSE_ABOVE * free:
            raise OutOfMemoryError(f"{sizes}; {less_memory(config, network, workers)}")
        yield f"{sizes}: it may run out of memory; {less_memory(config, network, workers)}"


def less_memory(config: Config, network: Network, workers: int) -> str:
    """Return a sentence on what needs less memory."""
    options = [f"--workers {workers - 1}"] if workers > 1 else []
    if current_session() is not None:
        options = ["fewer ranks on a machine"]
    batch = config.training.batch_size
    if batch == "all" or batch > 1:
        options.append("a smaller training.batch_size")
    if isinstance(getattr(config.data, "size", None), tuple):
        options.append("a smaller data.size")
    options.append("a pool or a stride in an earlier layer" if len(network.in_shape) == 3 else "fewer units")
    return f"{', or '.join(options)}, takes less"
