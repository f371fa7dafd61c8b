"""The ranks of a training: this process alone, or with worker processes beside it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator, SingleProcess, worker_count
from cnntrain.parallel.communicator import GROUPS
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.processes import Processes
from cnntrain.parallel.shared_memory import SharedMemory
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.sharing import (
    check_mapped,
    mapped_images,
    samples_in_batch,
    share_data,
    shared_data,
    shared_fields,
)
from cnntrain.training.state import TrainState
from cnntrain.types import Array

PATIENCE = 10.0
"""Seconds that a run that is to stop waits for a worker; one that is stuck would keep it for ever."""


@contextmanager
def ranks(
    config: Config,
    network: Network,
    data: Data,
    workers: int,
    state: TrainState | None = None,
    states: Array | None = None,
    interrupts: Interrupts | None = None,
) -> Iterator[tuple[Communicator, Data]]:
    """Context in which the other ranks are there; gives rank 0's communicator, and the data as all ranks see them.

    Args:
        config: With data.
        network: Its theta is shared.
        data: What is learned.
        workers: Ranks, this one included.
        here: Where their program begins; by default at the beginning.
        states: The optimizer's there; by default 0.
        interrupts: Where a signal is noted, after which no worker is waited for without an end.

    Raises:
        DataError: A mapped file was cut off.
        WorkerError: There is no room for what they share, or one could not be started, or has ended.
        KeyboardInterrupt: A signal was noted, and a worker does not come to the end of its batch.
    """
    check_mapped(data)
    if workers == 1:
        single = SingleProcess(network.layout, network.dtype, config.training.state_rows)
        if states is not None:
            single.states[...] = states
        try:
            yield single, data
        finally:
            network.free_workspaces()
        return
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
            # While they import what they need.
            network.move_to(arrays["theta"])
            if states is not None:
                arrays["states"][...] = states
            if state.before is not None:
                arrays["before"][...] = state.before
            share_data(data, arrays)
            # The first copy is not needed any more.
            data = shared_data(arrays, maps, data.classes, data.preprocessing, data)
            order = {
                "workers": workers,
                "handle": arrays.handle,
                **arrays.to_json(),
                "maps": maps,
                "config": settled(config, network).resolved(),
                "input": list(network.in_shape),
                "classes": list(data.classes),
                "preprocessing": data.preprocessing.to_dict(),
                "progress": state.to_json(),
            }
            for rank in range(1, workers):
                processes.send(rank, {"rank": rank, **order})

            def check_alive() -> None:
                processes.check_alive()
                if interrupts is not None and interrupts.signal is not None and comm.waiting_since is not None:
                    processes.wake()
                    if time.monotonic() - comm.waiting_since > PATIENCE:
                        raise KeyboardInterrupt(interrupts.signal)

            comm = SharedMemory(0, workers, arrays, network.layout, check_alive)
            try:
                yield comm, data
            finally:
                comm.check_alive = (
                    processes.check_alive
                )  # the other one knows comm: together they would keep all that is shared
    finally:
        network.move_to(network.theta.copy())  # whoever keeps the network does not keep all that was shared
        network.free_workspaces()
        arrays.close()


def settled(config: Config, network: Network) -> Config:
    """Return the config with the class weights that rank 0 has found, which a worker would not find by itself."""
    weights = {"class_weights": network.objective.class_weights}
    return config.model_copy(update={"training": config.training.model_copy(update=weights)})


def number_of_workers(config: Config, network: Network, data: Data | None) -> int:
    """Workers that a run takes, rank 0 counted: as many as the config says, or what ``worker_count`` finds best.

    More than ``GROUPS`` would find nothing to do.
    """
    if config.training.workers != "auto":
        return min(config.training.workers, GROUPS)
    in_batch = samples_in_batch(config, data)
    # A product in the forward pass, and two in the backward pass, of a multiplication and an addition each.
    operations = 6.0 * in_batch * sum(layer.multiply_adds for layer in network.layers)
    return worker_count(min(GROUPS, len(list(network.micro_batches(in_batch)))), operations)
