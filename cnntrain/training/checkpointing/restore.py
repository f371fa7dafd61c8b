"""Where a run starts: from scratch, from its last checkpoint, or after a rollback from its best weights."""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import WeightsError, visible
from cnntrain.network.network import Network
from cnntrain.runs.folder import CHECKPOINT_FILE, PREVIOUS_FILE, RunFolder
from cnntrain.storage import FileMark, lines_of, write_file
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.monitoring import MonitoredSplit, monitored_value, score_theta
from cnntrain.training.start_from import starting_network
from cnntrain.training.state import TrainState
from cnntrain.types import Array


@dataclass
class StartPoint:
    """Where a run starts, besides the network's theta."""

    state: TrainState = field(default_factory=TrainState)
    outcome: Outcome = field(default_factory=Outcome)
    states: Array | None = None
    """Optimizer state; None for zeros."""
    best: Array | None = None
    """theta of the best epoch so far."""
    choices: tuple[str, ...] = ()
    """Lines for the user on the weights that the run begins with."""


class LoadedCheckpoint(NamedTuple):
    """A checkpoint to resume from."""

    checkpoint: Checkpoint
    name: str
    """Name of its file."""
    notes: list[str]
    """Warnings about a newer, damaged one."""


def last_checkpoint(folder: Path) -> LoadedCheckpoint:
    """Return the newest intact checkpoint.

    Raises:
        WeightsError: There is none.
    """
    problems: list[str] = []
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        if not (folder / name).exists():
            continue
        try:
            notes = [f"{problem}; resuming from the previous checkpoint" for problem in problems]
            return LoadedCheckpoint(checkpoints.load(folder / name), name, notes)
        except WeightsError as error:
            problems.append(str(error))
    if not problems:
        raise WeightsError(f"{folder}: there is no checkpoint, so this run cannot be resumed")
    damaged = WeightsError("\n".join(map(visible, problems)))
    damaged.has_lines = True
    raise damaged


def metrics_before(path: Path, epoch: int) -> bytes:
    """Return the intact lines of metrics.jsonl for epochs before ``epoch``, one per epoch."""
    kept: dict[int, bytes] = {}
    for line in lines_of(path) if path.exists() else ():
        try:
            number = json.loads(line.decode("utf-8"))["epoch"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if type(number) is int and 0 < number < epoch and line.endswith(b"\n"):
            kept.setdefault(number, line)
    return b"".join(kept.values())


def rollback(
    run: RunFolder,
    config: Config,
    network: Network,
    data: Data,
    state: TrainState,
    outcome: Outcome,
    best: Array | None,
) -> StartPoint:
    """Go back to the best weights so far, possibly the initial ones, and halve the learning rate.

    The result depends on the config only, not on when checkpoints were written. No file is truncated yet: the last
    checkpoint needs the metrics until the checkpoint of the rollback is written.

    Args:
        run: Run folder; its pending metrics are rewound.
        config: Config of the run.
        network: Network; its theta is set.
        data: Data of the run.
        state: Training state at the divergence.
        outcome: Outcome at the divergence.
        best: theta of the best epoch; None if no epoch has ended.

    Returns:
        Where the run continues.

    Raises:
        OSError: The metrics cannot be read.
        ConfigError, WeightsError: The weights that the run began with are no longer there, or not the same.
    """
    untrained = starting_network(config, data)[1].theta
    monitored = MonitoredSplit.of(data, config.training.seed).dataset
    new_state = TrainState(rollbacks=state.rollbacks + 1)
    new_outcome = Outcome(seconds=outcome.seconds)
    if (
        best is None
        or monitored_value(score_theta(untrained, network, monitored, data), config.training) < outcome.best
    ):
        theta, best = untrained, None
    else:
        theta, done = best, outcome.best_epoch
        new_state.epoch, new_state.restarted_after, new_state.best = done + 1, done, state.best
        new_outcome.epochs, new_outcome.best_epoch, new_outcome.best = done, done, outcome.best
    metrics = run.metrics
    waiting = [line for line in metrics.waiting if json.loads(line)["epoch"] <= new_outcome.epochs]
    if metrics.path.exists():
        kept = metrics_before(metrics.path, new_outcome.epochs + 1)
        if not metrics.rewind(FileMark(len(kept), blake2b(kept).hexdigest()), waiting):  # the file was edited
            write_file(metrics.path, kept)
            metrics.rewind(FileMark(len(kept), ""), waiting)
    metrics.waiting = waiting
    network.theta[...] = theta
    return StartPoint(new_state, new_outcome, None, best)
