"""Verification of a run: do its last steps, repeated, give the same bits?"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cnntrain.data import Data
from cnntrain.errors import DivergedError, ReplayError, WeightsError
from cnntrain.network.network import Network
from cnntrain.runs.folder import CHECKPOINT_FILE, PREVIOUS_FILE
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.validation import check_position
from cnntrain.training.events import BatchEnded, StepsVerified, WarningIssued
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.loop import train_loop
from cnntrain.training.state import TrainState
from cnntrain.training.workers import process_group


def verify_last_steps(
    folder: Path, newest: Checkpoint, network: Network, data: Data, interrupts: Interrupts | None
) -> Iterator[StepsVerified | WarningIssued]:
    """Repeat the steps from the previous checkpoint to the newest one, and compare the results.

    Raises:
        WeightsError: The previous checkpoint is damaged, or belongs to another run.
        ReplayError: The results differ.
        KeyboardInterrupt: A signal arrived.
    """
    if not (folder / PREVIOUS_FILE).exists():
        yield WarningIssued(f"{folder}: there is only one checkpoint, so there are no steps to repeat")
        return
    old = checkpoints.load(folder / PREVIOUS_FILE)
    sizes = [(one.theta.shape, one.theta.dtype, one.states.shape) for one in (old, newest)]
    if sizes[0] != sizes[1]:
        raise WeightsError(f"{folder / PREVIOUS_FILE}: this checkpoint and {CHECKPOINT_FILE} are from different runs")
    check_position(old, len(data.train))
    if old.state.rollbacks != newest.state.rollbacks:
        yield WarningIssued(f"{folder}: the run rolled back between its last two checkpoints: no steps to repeat")
        return
    first, last = position_of(old.state), position_of(newest.state)
    steps_text = f"from epoch {first[0]}, batch {first[1]} to epoch {last[0]}, batch {last[1]}"
    config, steps = newest.config, 0
    network.theta[...] = old.theta
    with process_group(config, network, data, None, old.state, old.states, interrupts) as (comm, shared):
        try:
            with closing(train_loop(network, shared, config.training, comm, old.state)) as events:
                for event in events if first != last else ():
                    steps += isinstance(event, BatchEnded)
                    if position_of(old.state) >= last:
                        break
                    if interrupts is not None and interrupts.signal is not None:
                        raise KeyboardInterrupt(interrupts.signal)
        except DivergedError as error:  # the original steps did not
            raise ReplayError(f"{folder}: repeating the steps {steps_text} diverged: {error}") from error
        comm.collect()
        now = Checkpoint(**(vars(newest) | {"theta": network.theta, "states": comm.states, "state": old.state}))
        differing = differing_tensors(newest, now)
    if differing:
        raise ReplayError(f"{folder}: repeating the steps {steps_text} gave different bits: {', '.join(differing)}")
    yield StepsVerified(steps)


def position_of(state: TrainState) -> tuple[int, int]:
    """Return epoch and batch."""
    return state.epoch, state.batch


def differing_tensors(one: Checkpoint, other: Checkpoint) -> list[str]:
    """Return the names of what differs between two checkpoints of the same position."""
    tensors = {"theta": (one.theta, other.theta), "the optimizer's states": (one.states, other.states)}
    names = [name for name, (old, new) in tensors.items() if old.tobytes() != new.tobytes()]
    counts = [state.to_json() | {"seconds": ""} for state in (one.state, other.state)]
    return names + [f"{key} of the epoch" for key in counts[0] if counts[0][key] != counts[1][key]]
