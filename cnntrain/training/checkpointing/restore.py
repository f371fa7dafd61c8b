"""Where a run begins or resumes: its beginning, its last checkpoint, or its best weights with half the alpha."""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from cnntrain.builder import build_for
from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import WeightsError
from cnntrain.network.network import Network
from cnntrain.runs.folder import NEWEST, PREVIOUS, RunFolder
from cnntrain.storage import FileMark, lines_of, write_file
from cnntrain.training.checkpointing import checkpoint as checkpoints
from cnntrain.training.checkpointing.checkpoint import Checkpoint
from cnntrain.training.checkpointing.outcome import Outcome
from cnntrain.training.monitoring import Monitored, score_of
from cnntrain.training.state import TrainState
from cnntrain.types import Array


@dataclass
class StartPoint:
    """Where a run begins, or goes on, beside the network's theta."""

    progress: TrainState = field(default_factory=TrainState)
    outcome: Outcome = field(default_factory=Outcome)
    states: Array | None = None
    """The optimizer's; None: all 0."""
    best: Array | None = None
    """theta of the best epoch so far."""


class Found(NamedTuple):
    """A checkpoint that a run can go on from."""

    checkpoint: Checkpoint
    name: str
    """Of its file."""
    notes: list[str]
    """What is to be said of a newer one."""


def last_checkpoint(folder: Path) -> Found:
    """Return the newest checkpoint that is whole.

    Raises:
        WeightsError: There is none.
    """
    problems: list[str] = []
    for name in (NEWEST, PREVIOUS):
        if not (folder / name).exists():
            continue
        try:
            notes = [f"{problem}; going on from the one before" for problem in problems]
            return Found(checkpoints.load(folder / name), name, notes)
        except WeightsError as error:
            problems.append(str(error))
    if not problems:
        raise WeightsError(f"{folder}: there is no checkpoint here, so nothing tells how this run would go on")
    raise WeightsError("\n".join(problems))


def metrics_before(path: Path, epoch: int) -> bytes:
    """Return the lines of metrics.jsonl that are whole and of epochs before the given one, each once."""
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
    """Go back to the best weights so far, those of the untrained network included, and on with half the alpha.

    They follow from the config alone, and not from when a checkpoint was written: so does the rest of the run. Nothing
    in the folder is cut off yet: until there is a checkpoint of where the run resumes, the last one needs it.

    Args:
        run: Its metrics end there from now on.
        config: Of the run.
        network: Gets the theta of that moment.
        data: Of the run.
        here: Where it diverged.
        outcome: What it had come to.
        best: theta of the best epoch, None if no epoch has ended.

    Raises:
        OSError: The metrics cannot be read.
    """
    untrained = build_for(config, data).theta
    monitored = Monitored.of(data, config.training.seed).dataset
    progress = TrainState(rollbacks=state.rollbacks + 1)
    found = Outcome(seconds=outcome.seconds)
    if best is None or score_of(untrained, network, monitored, data).loss < outcome.best:
        theta, best = untrained, None
    else:
        theta, done = best, outcome.best_epoch
        progress.epoch, progress.restarted_after, progress.best = done + 1, done, state.best
        found.epochs, found.best_epoch, found.best = done, done, outcome.best
    metrics = run.metrics
    waiting = [line for line in metrics.waiting if json.loads(line)["epoch"] <= found.epochs]
    if metrics.path.exists():
        kept = metrics_before(metrics.path, found.epochs + 1)
        if not metrics.rewind(FileMark(len(kept), blake2b(kept).hexdigest()), waiting):  # somebody has changed it
            write_file(metrics.path, kept)
            metrics.rewind(FileMark(len(kept), ""), waiting)
    metrics.waiting = waiting
    network.theta[...] = theta
    return StartPoint(progress, found, None, best)
