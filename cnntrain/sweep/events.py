"""Events that a sweep yields. It prints nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnntrain.config.sweep.sweep_file import Sweep
from cnntrain.sweep.journal import TrialRecord
from cnntrain.training.events import LoadingProgress, Note, WarningIssued


@dataclass(frozen=True, slots=True)
class SweepStarted:
    """The folder is open, and trials begin."""

    folder: Path
    sweep: Sweep
    samples: dict[str, int]
    """Number of samples in ``train``, ``validation`` and ``test``; 0 for a missing split."""
    trials: int
    done: int
    """Trials that were done before."""
    parallel: int


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """An epoch of a trial ended."""

    number: int
    epoch: int
    epochs: int
    """Epochs until it is compared, or ends."""


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is complete, was stopped by halving, or failed."""

    trial: TrialRecord
    done: int
    """Trials that are done, with this one."""
    best: TrialRecord | None
    """The best trial so far."""


@dataclass(frozen=True, slots=True)
class SweepEnded:
    """All trials are done, and the folder is complete."""

    result: dict[str, Any]
    """What ``cnntrain sweep --json`` prints."""


SweepEvent = LoadingProgress | Note | WarningIssued | SweepStarted | TrialProgress | TrialEnded | SweepEnded
