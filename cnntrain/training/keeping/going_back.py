"""Where a run begins or goes on: its beginning, its last checkpoint, or that with half the alpha after a divergence."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cnntrain.errors import WeightsError
from cnntrain.network import Network
from cnntrain.training.keeping import checkpoint as checkpoints
from cnntrain.training.keeping.checkpoint import Checkpoint
from cnntrain.training.keeping.outcome import Outcome
from cnntrain.training.keeping.run import NEWEST, PREVIOUS, RunFolder
from cnntrain.training.progress import Progress
from cnntrain.types import Array

MOST_ROLLBACKS = 3
"""Times that a run goes back; more would mean that alpha is not what is wrong."""


@dataclass
class Start:
    """Where a run begins, or goes on, beside the network's theta."""

    progress: Progress = field(default_factory=Progress)
    outcome: Outcome = field(default_factory=Outcome)
    states: Array | None = None
    """The optimizer's; None: all 0."""
    best: Array | None = None
    """theta of the best iteration so far."""


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


def half_the_alpha(run: RunFolder, network: Network, rollbacks: int) -> Start | None:
    """Go back to the last checkpoint, with half the alpha; None where nothing whole is there.

    Args:
        run: Its metrics are cut off at the checkpoint.
        network: Gets the checkpoint's theta.
        rollbacks: How often the run went back before.
    """
    try:
        checkpoint = last_checkpoint(run.path).checkpoint
    except WeightsError:
        return None
    if not run.metrics.go_back_to(checkpoint.metrics, checkpoint.waiting):
        return None
    run.metrics.cut()
    network.theta[...] = checkpoint.theta
    checkpoint.progress.rollbacks = rollbacks + 1
    return Start(checkpoint.progress, checkpoint.outcome, checkpoint.states, checkpoint.best)
