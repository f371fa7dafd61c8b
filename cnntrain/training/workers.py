"""The process group of a run: this process, and its worker processes if any."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator, SingleProcess, single_core, worker_count
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.mpi_job import current_session
from cnntrain.parallel.processes import Processes
from cnntrain.parallel.shared_memory import SharedMemory
from cnntrain.parallel.summation_tree import LEAVES
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.sharing import (
    check_mapped,
    mapped_images,
    max_processes,
    micro_batch_counts,
    samples_in_batch,
    share_data,
    shared_data,
    shared_fields,
    with_class_weights,
)
from cnntrain.training.state import TrainState
from cnntrain.types import Array

STOP_TIMEOUT = 10.0
"""Seconds that a run waits for a worker after a signal, in case the worker hangs."""


@contextmanager
def process_group(
    config: Config,
    network: Network,
    data: Data,
    workers: int | None = None,
    state: TrainState | None = None,
    states: Array | None = None,
    interrupts: Interrupts | None = None,
) -> Iterator[tuple[Communicator, Data]]:
    """Context manager that starts the workers; gives rank 0's communicator, and the data as all ranks see them.

    In an MPI job the workers are its other ranks.

    Inside, BLAS uses one thread per process.

    Args:
        config: Config with data.
        network: Network; its theta is moved to shared memory.
        data: Data of the run.
        workers: Number of processes, this one included; by default ``number_of_workers``.
        state: Training state from which the workers start, by default the initial one.
        states: Optimizer state, ``(state_rows, entries of theta)``, by default zeros.
        interrupts: Signals; after one, the wait for a worker times out.

    Raises:
        DataError: A memory-mapped file is truncated.
        WorkerError: A worker cannot be started or has ended, or there is not enough shared memory.
        KeyboardInterrupt: A signal arrived, and a worker does not finish its batch.
    """
    check_mapped(data)
    session = current_session()
    if session is not None:
        from cnntrain.training.mpi_ranks import mpi_ranks  # needed in an MPI job only

        with single_core(), mpi_ranks(session, config, network, data, state, states, interrupts) as ranks:
            yield ranks
        return
    workers = workers or number_of_workers(config, network, data)
    with single_core():
        if workers == 1:
            comm = SingleProcess(network.layout, network.dtype, config.training.state_rows)
            if states is not None:
                comm.states[...] = states
            try:
                yield comm, data
            finally:
                network.free_workspaces()
        else:
            with worker_processes(config, network, data, workers, state, states, interrupts) as group:
                yield group


@contextmanager
def worker_processes(
    config: Config,
    network: Network,
    data: Data,
    workers: int,
    state: TrainState | None,
    states: Array | None,
    interrupts: Interrupts | None,
) -> Iterator[tuple[Communicator, Data]]:
    """Context manager for two or more processes, see ``process_group``."""
    state = state or TrainState()
    fields = dict(shared_fields(config, network, data, workers))
    if state.before is not None:
        fields["before"] = (state.before.shape, state.before.dtype.name)
    arrays = SharedArrays(fields)
    try:
        with mapped_images(data) as maps, Processes("cnntrain.training.worker") as processes:
            processes.files = tuple({images["descriptor"] for images in maps.values()})
            for _ in range(1, workers):
                processes.start(arrays.handle)
            # Meanwhile the workers import their modules.
            network.move_to(arrays["theta"])
            if states is not None:
                arrays["states"][...] = states
            if state.before is not None:
                arrays["before"][...] = state.before
            share_data(data, arrays)
            # The original copy is no longer needed.
            data = shared_data(arrays, maps, data.classes, data.preprocessing, data)
            job = {
                "workers": workers,
                "handle": arrays.handle,
                **arrays.to_json(),
                "maps": maps,
                "config": with_class_weights(config, network).resolved(),
                "input": list(network.in_shape),
                "classes": list(data.classes),
                "preprocessing": data.preprocessing.to_dict(),
                "state": state.to_json(),
                "counts": (counts := micro_batch_counts(config, network, data)),
            }
            for rank in range(1, workers):
                processes.send(rank, {"rank": rank, **job})

            def check_workers() -> None:
                processes.check_alive()
                if interrupts is not None and interrupts.signal is not None and comm.waiting_since is not None:
                    processes.wake()
                    if time.monotonic() - comm.waiting_since > STOP_TIMEOUT:
                        raise KeyboardInterrupt(interrupts.signal)

            comm = SharedMemory(0, workers, arrays, network.layout, counts, check_workers)
            try:
                yield comm, data
            finally:
                comm.check_alive = (
                    processes.check_alive
                )  # check_workers refers to comm: the cycle would keep the shared memory alive
    finally:
        # Neither the network nor its workspaces, with their views of W and dW, keep the shared memory alive.
        network.move_to(network.theta.copy())
        network.free_workspaces()
        network.free_workspaces()
        arrays.close()


def number_of_workers(config: Config, network: Network, data: Data | None) -> int:
    """Return the number of processes of a run, rank 0 included: from the config, or chosen by ``worker_count``.

    At most ``LEAVES`` processes have work. In an MPI job it is the number of ranks on this machine.
    """
    session = current_session()
    if session is not None:
        return int(session.node.size)
    if config.training.workers != "auto":
        return min(config.training.workers, LEAVES)
    in_batch = samples_in_batch(config, data)
    # One product in the forward pass and two in the backward pass, with a multiplication and an addition each.
    products = sum((1 if i < network.frozen else 3) * layer.multiply_adds for i, layer in enumerate(network.layers))
    operations = 2.0 * in_batch * products
    return worker_count(max_processes(config, network, data), operations)
