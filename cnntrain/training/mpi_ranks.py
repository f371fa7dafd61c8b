"""Training on the ranks of an MPI job: rank 0 runs the program, the others do as it says.

A rank above 0 waits for a word of rank 0, which is JOB for each training loop: the config, the data (once), theta and
the training state follow, and then all ranks run the same loop in lock step. See ``cnntrain.parallel.mpi_session``.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from cnntrain.builder import build_shaped
from cnntrain.config import Config, config_from_dict
from cnntrain.data import Data
from cnntrain.errors import DivergedError
from cnntrain.network.network import Network
from cnntrain.parallel import single_core
from cnntrain.parallel.mpi import Mpi
from cnntrain.parallel.mpi_session import COLLECT, END, GO, JOB, JobEnded, Session
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.loop import train_loop
from cnntrain.training.mpi_data import share_samples
from cnntrain.training.sharing import with_class_weights
from cnntrain.training.state import TrainState
from cnntrain.types import Array

STOP_TIMEOUT = 10.0
"""Seconds that a run waits for a rank after a signal, in case the rank hangs."""


@contextmanager
def mpi_ranks(
    session: Session,
    config: Config,
    network: Network,
    data: Data,
    state: TrainState | None,
    states: Array | None,
    interrupts: Interrupts | None,
) -> Iterator[tuple[Mpi, Data]]:
    """Context manager on rank 0 for a training loop on all ranks, see ``process_group``."""

    def check() -> None:
        since = session.waiting_since
        signaled = None if interrupts is None else interrupts.signal
        if signaled is not None and since is not None and time.monotonic() - since > STOP_TIMEOUT:
            raise KeyboardInterrupt(signaled)

    session.check = check
    try:
        state = state or TrainState()
        session.say(JOB)
        session.is_in_step = True
        resolved = with_class_weights(config, network).resolved()
        job = {
            # Without the data section: its paths mean nothing on another machine.
            "config": {
                "network": resolved["network"] | {"input": list(network.in_shape)},
                "training": resolved["training"],
            },
            "input": list(network.in_shape),
            "classes": len(data.classes),
            "state": state.to_json(),
            "has_before": state.before is not None,
            "has_states": states is not None,
            "has_data": session.samples is not None and session.samples[0] is data,
        }
        comm, shared = prepare(session, session.share(job), config, network, data, state, states)
        session.is_in_step = False
        yield comm, shared
    finally:
        session.check = lambda: None
        network.free_workspaces()


def serve(session: Session) -> None:
    """Do as rank 0 says, on any other rank, until it ends the job."""
    comm = loop = None
    with single_core(), suppress(JobEnded):
        while (word := session.listen()) != END:
            if word == COLLECT and comm is not None:
                comm.gather_states()
            elif word == GO and loop is not None:
                with suppress(DivergedError):  # rank 0 reports why a run stops or diverges
                    for _ in loop:
                        pass
                loop = None
            elif word == JOB:
                comm = loop = None  # free the memory of the last job
                comm, loop = prepared_loop(session, session.share(None))


def prepared_loop(session: Session, job: Any) -> tuple[Mpi, Any]:
    """Return communicator and training loop of a job, on a rank above 0."""
    config = config_from_dict(job["config"], "rank")
    network = build_shaped(config, tuple(job["input"]), job["classes"])
    state = TrainState.from_json(job["state"])
    if job["has_before"]:
        state.before = np.empty_like(network.theta)
    states = np.empty((config.training.state_rows, network.layout.size), network.dtype) if job["has_states"] else None
    comm, data = prepare(session, job, config, network, None, state, states)
    return comm, train_loop(network, data, config.training, comm, state)


def prepare(
    session: Session,
    job: Any,
    config: Config,
    network: Network,
    data: Data | None,
    state: TrainState,
    states: Array | None,
) -> tuple[Mpi, Data]:
    """Bring a job's data and vectors to all ranks; return this rank's communicator and data."""
    if not job["has_data"]:
        session.samples = None
        session.samples = data, share_samples(session, data)
    assert session.samples is not None
    session.broadcast(network.theta)
    if state.before is not None:
        session.broadcast(state.before)
    comm = Mpi(session, network.layout, network.theta, config.training.state_rows)
    if states is not None:
        session.broadcast(states)
        comm.states[...] = states
    return comm, session.samples[1]
