"""Events that training yields. Training itself prints nothing.

A run yields, in this order::

    (LoadingProgress | Note)*  StepsVerified?  TrainingStarted
    (BatchEnded* EpochEnded DiagnosticsComputed?)*
    TrainingEnded

A ``WarningIssued`` may come anywhere: something went wrong, but the run continues.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnntrain.config import LayerEntry
from cnntrain.network.network import Network
from cnntrain.training.diagnostics import LayerDiagnostics


@dataclass(frozen=True, slots=True)
class LoadingProgress:
    """Progress of loading the data."""

    done: int
    total: int
    """0 if unknown."""
    what: str
    """For example ``decoding images``."""


@dataclass(frozen=True, slots=True)
class Note:
    """A fact about the data that the user should know, such as skipped files or duplicates."""

    text: str


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """The network is built, the data are loaded, and training begins."""

    run: Path
    network: Network
    source: str
    """``data.source``."""
    samples: dict[str, int]
    """Number of samples in ``train``, ``validation`` and ``test``; 0 for a missing split."""
    classes: tuple[str, ...]
    cores: int
    """Cores available to this process."""
    workers: int
    """Number of processes, this one included."""
    batches: int
    """Batches per epoch."""
    Max: int
    epsilon: float
    alpha_varies: bool
    """Whether the learning rate changes during the run."""
    layers: Sequence[LayerEntry] = ()
    """Entries of ``network.layers``."""
    only_in_training: tuple[str, ...] = ()
    """What makes training and validation loss incomparable, such as ``dropout``."""
    choices: tuple[str, ...] = ()
    """How ambiguous data were read, one line per choice."""
    epochs_before: int = 0
    """Completed epochs of a resumed run."""
    batches_before: int = 0
    """Completed batches of the current epoch of a resumed run."""
    machines: int = 0
    """Machines of an MPI job; 0 without MPI."""
    tensorboard: Path | None = None
    """Folder of the event files of TensorBoard, if the run writes them."""


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """A training step is done."""

    epoch: int
    batch: int
    """1 .. batches."""
    samples: int
    """Samples seen in this epoch so far."""
    loss: float
    """Mean loss of these samples."""
    seconds: float
    """Seconds since the epoch began."""


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """An epoch is done; the fields are the keys of a line of ``metrics.jsonl``."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    max_change: float
    """Largest change of a parameter in this epoch."""
    seconds: float
    alpha: float
    """Learning rate of the last step."""
    monitor_loss: float | None = None
    """Loss that selects the best weights, see ``cnntrain.training.monitoring``."""

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that there are, by name, without the epoch."""
        return {name: value for name, value in asdict(self).items() if name != "epoch" and value is not None}


@dataclass(frozen=True, slots=True)
class DiagnosticsComputed:
    """Diagnostics of the layers after an epoch, if requested."""

    epoch: int
    layers: Sequence[LayerDiagnostics]


@dataclass(frozen=True, slots=True)
class TrainingEnded:
    """The run is over and its folder is complete, plots included."""

    result: dict[str, Any]
    """What ``train --json`` prints."""


@dataclass(frozen=True, slots=True)
class WarningIssued:
    """Something went wrong, but the run continues."""

    text: str


@dataclass(frozen=True, slots=True)
class StepsVerified:
    """The last steps of a run were repeated with the same bits as result."""

    steps: int


Event = (
    LoadingProgress
    | Note
    | StepsVerified
    | TrainingStarted
    | BatchEnded
    | EpochEnded
    | DiagnosticsComputed
    | TrainingEnded
    | WarningIssued
)
