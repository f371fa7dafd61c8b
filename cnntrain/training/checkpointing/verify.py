"""Repeating the last steps of a run, to see whether they give the same bits."""

from collections.abc import Iterator
from pathlib import Path

from cnntrain.data import Data
from cnntrain.errors import DivergedError, ReplayError, WeightsError
from cnntrain.network.network import Network
from cnntrain.parallel import one_blas_thread
from cnntrain.runs.folder import NEWEST, PREVIOUS
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.validation import check_position
from cnntrain.training.events import BatchEnded, Verified, Warned
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.loop import train_loop
from cnntrain.training.state import TrainState
from cnntrain.training.workers import number_of_workers, ranks


def verify_last_steps(
    folder: Path, newest: Checkpoint, network: Network, data: Data, interrupts: Interrupts | None
) -> Iterator[Verified | Warned]:
    """Go from the previous checkpoint to the newest once more, and compare what comes out.

    Raises:
        WeightsError: The previous checkpoint is damaged, or of another run.
        ReplayError: Something else comes out.
        KeyboardInterrupt: It is asked to stop.
    """
    if not (folder / PREVIOUS).exists():
        yield Warned(f"{folder}: there is no checkpoint before the last one, so there are no steps to repeat")
        return
    old = checkpoints.load(folder / PREVIOUS)
    sizes = [(one.theta.shape, one.theta.dtype, one.states.shape) for one in (old, newest)]
    if sizes[0] != sizes[1]:
        raise WeightsError(f"{folder / PREVIOUS}: this checkpoint is of another run than {NEWEST}")
    check_position(old, len(data.train))
    if old.progress.rollbacks != newest.progress.rollbacks:
        yield Warned(f"{folder}: the run rolled back between its last two checkpoints, so there are no steps to repeat")
        return
    first, last = position_text(old.progress), position_text(newest.progress)
    told = f"from epoch {first[0]}, batch {first[1]} to epoch {last[0]}, batch {last[1]}"
    config, steps = newest.config, 0
    network.theta[...] = old.theta
    size = number_of_workers(config, network, data)
    with one_blas_thread(), ranks(config, network, data, size, old.progress, old.states, interrupts) as (comm, shared):
        events = train_loop(network, shared, config.training, comm, old.progress)
        try:
            for event in events if first != last else ():
                steps += isinstance(event, BatchEnded)
                if position_text(old.progress) >= last:
                    break
                if interrupts is not None and interrupts.signal is not None:
                    raise KeyboardInterrupt(interrupts.signal)
        except DivergedError as error:  # the run did not
            raise ReplayError(f"{folder}: the steps {told}, repeated, diverged: {error}") from error
        now = Checkpoint(**(vars(newest) | {"theta": network.theta, "states": comm.states, "progress": old.progress}))
        differing = differing_tensors(newest, now)
    if differing:
        raise ReplayError(f"{folder}: the steps {told}, repeated, gave other bits: {', '.join(differing)}")
    yield Verified(steps)


def position_text(state: TrainState) -> tuple[int, int]:
    """Where a run stands."""
    return state.epoch, state.batch


def differing_tensors(one: Checkpoint, other: Checkpoint) -> list[str]:
    """Name what differs between two checkpoints of the same moment."""
    names = {"theta": (one.theta, other.theta), "the optimizer's states": (one.states, other.states)}
    found = [name for name, (old, new) in names.items() if old.tobytes() != new.tobytes()]
    counts = [state.to_json() | {"seconds": ""} for state in (one.progress, other.progress)]
    return found + [f"{key} of the epoch" for key in counts[0] if counts[0][key] != counts[1][key]]
