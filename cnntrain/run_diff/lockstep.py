"""Repeats the steps of two runs side by side until their bits differ."""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cnntrain.builder import build_for
from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import DivergedError
from cnntrain.network.network import Network
from cnntrain.parallel import Communicator
from cnntrain.run_diff.recorded import RecordedRun, same_bits, same_state
from cnntrain.training.batches import batch_count
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.events import BatchEnded, EpochEnded
from cnntrain.training.loop import train_loop
from cnntrain.training.start_from import starting_network
from cnntrain.training.state import TrainState
from cnntrain.training.workers import process_group
from cnntrain.types import Array

ITS_END = "its end"
"""Why a run that did not diverge has no more steps."""
Position = tuple[int, int]
"""Epoch and batch of a step, both from 1; (0, 0) for the initial weights."""


@dataclass
class Replica:
    """One of the two runs, repeated in this process.

    Attributes:
        position: The last step.
        ended: Why there are no more steps; empty while there are.
        contradiction: The first recorded epoch whose figures were not reproduced; None if all were.
    """

    run: RecordedRun
    data: Data
    network: Network
    comm: Communicator
    state: TrainState
    position: Position = (0, 0)
    ended: str = ""
    contradiction: int | None = None

    @property
    def config(self) -> Config:
        """The config of the run."""
        return self.run.config

    def steps(self) -> Iterator[None]:
        """Repeat the steps, up to the end of the run; yield after each one."""
        last = last_step(self.run.newest.state, self.run, self.data)
        lines = {row.get("epoch"): line for line, row in enumerate(self.run.metrics)}
        try:
            events = train_loop(self.network, self.data, self.config.training, self.comm, self.state)
            while self.position < last:
                event = next(events)
                if isinstance(event, BatchEnded):
                    self.position = event.epoch, event.batch
                    yield
                if isinstance(event, EpochEnded) and self.contradiction is None:
                    line = lines.get(event.epoch)
                    figures, row = asdict(event), {} if line is None else self.run.metrics[line]
                    if any(value is not None and figures.get(key) != value for key, value in row.items()):
                        self.contradiction = event.epoch
        except DivergedError as error:
            self.ended = str(error)
        except StopIteration:
            pass
        self.ended = self.ended or ITS_END


@dataclass
class Parting:
    """Where two runs part."""

    position: Position
    before: tuple[Array, Array] | None = None
    """theta of both before the step, the same weights; None if the initial weights differ."""


@contextmanager
def replicas(
    runs: tuple[RecordedRun, RecordedRun], data: tuple[Data, Data], start: tuple[Checkpoint, Checkpoint] | None
) -> Iterator[tuple[Replica, Replica]]:
    """Context manager that gives both runs at their common start, or at checkpoints with the same bits."""
    with ExitStack() as stack:
        made = []
        for i, run in enumerate(runs):
            network = starting_network(run.config, data[i])[1] if start is None else build_for(run.config, data[i])
            state, states = TrainState(), None
            if start is not None:
                network.theta[...] = start[i].theta
                state, states = copy.deepcopy(start[i].state), start[i].states
            comm, shared = stack.enter_context(process_group(run.config, network, data[i], 1, state, states))
            replica = Replica(run, shared, network, comm, state)
            if start is not None:
                replica.position = last_step(state, run, data[i])
            made.append(replica)
        yield made[0], made[1]


def last_step(state: TrainState, run: RecordedRun, data: Data) -> Position:
    """Return the last step of a training state."""
    if state.batch:
        return state.epoch, state.batch
    if state.epoch == 1:
        return 0, 0
    return state.epoch - 1, batch_count(len(data.train), run.config.training.batch_size)


def common_checkpoint(a: RecordedRun, b: RecordedRun) -> tuple[Checkpoint, Checkpoint] | None:
    """Return the latest checkpoints of two runs at the same position with the same bits; None if there are none."""
    pairs = [(one, other) for one in a.checkpoints for other in b.checkpoints if same_state(one, other)]
    return max(pairs, key=lambda pair: (pair[0].state.epoch, pair[0].state.batch), default=None)


def run_until_they_part(a: Replica, b: Replica, on_step: Callable[[Position], None]) -> Parting | None:
    """Repeat steps until weights or optimizer states differ; None if they do not until one of the runs ends."""
    if not same_weights(a, b):
        return Parting((0, 0))
    before = a.network.theta.copy(), b.network.theta.copy()
    for _ in zip(a.steps(), b.steps(), strict=False):
        on_step(a.position)
        if differs(a, b):
            return Parting(max(a.position, b.position), before)
        for theta, replica in zip(before, (a, b), strict=True):
            theta[...] = replica.network.theta
    return None


def same_weights(a: Replica, b: Replica) -> bool:
    """Return whether weights and buffers have the same bits, wherever they are in theta: frozen ones are at its end."""
    if a.network.frozen == b.network.frozen:
        return same_bits(a.network.theta, b.network.theta)
    states = a.network.state(), b.network.state()
    names = states[0].keys() | states[1].keys()
    return all(same_bits(states[0].get(name), states[1].get(name)) for name in names)


def differs(a: Replica, b: Replica) -> bool:
    """Return whether weights or optimizer states differ; states of other optimizers are not compared."""
    if a.position != b.position or not same_weights(a, b):
        return True
    states = a.comm.states, b.comm.states
    same_optimizer = a.config.training.optimizer == b.config.training.optimizer and a.network.frozen == b.network.frozen
    return same_optimizer and states[0].shape == states[1].shape and not same_bits(*states)


def tensor_difference(one: Array, other: Array) -> dict[str, Any]:
    """Return how two tensors differ: ``entries``, ``differing``, ``max_difference``; or their shapes."""
    if one.shape != other.shape:
        return {"shapes": [list(one.shape), list(other.shape)]}
    unequal = (one != other) | (np.signbit(one) != np.signbit(other)) if one.dtype.kind == "f" else one != other
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return {
        "entries": int(one.size),
        "differing": int(np.count_nonzero(unequal)),
        "max_difference": float(gap.max()) if gap.size else 0.0,
    }
