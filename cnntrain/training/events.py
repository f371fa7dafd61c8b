"""What training tells whoever watches it: a run yields these, in this order, and prints nothing.

::

    (Loading | Noted)*  Verified?  Started  (BatchEnded* IterationEnded HealthChecked?)*  Finished

and anywhere ``Warned``, where something goes wrong that does not stop the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnntrain.config import LayerEntry
from cnntrain.network.network import Network
from cnntrain.training.diagnostics import LayerDiagnostics


@dataclass(frozen=True, slots=True)
class Loading:
    """How far the loading of the data is."""

    done: int
    total: int
    """0 where nobody knows."""
    what: str
    """``decoding images``."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the data that the user should know: what was left out, or is there twice."""

    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The run is ready: the network is built and the data are loaded."""

    run: Path
    network: Network
    source: str
    """``data.source``."""
    samples: dict[str, int]
    """Samples in ``train``, ``validation`` and ``test``; a split that is missing has 0."""
    classes: tuple[str, ...]
    cores: int
    """Cores that this process may use."""
    workers: int
    """Processes that share the work, this one included."""
    batches: int
    """Batches in one epoch."""
    Max: int
    epsilon: float
    alpha_varies: bool
    """Whether alpha changes from step to step."""
    layers: Sequence[LayerEntry] = ()
    """Entries of ``network.layers``."""
    only_in_training: tuple[str, ...] = ()
    """What makes training and validation loss different measures: ``dropout``."""
    choices: tuple[str, ...] = ()
    """How the data were read where they could have been read otherwise, a line each."""
    epochs_before: int = 0
    """That are over already, where a run goes on."""
    batches_before: int = 0
    """Of the epoch at hand."""


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """One batch is learned."""

    epoch: int
    batch: int
    """1 .. batches."""
    samples: int
    """Samples seen in this epoch so far."""
    loss: float
    """Mean loss a sample over those."""
    seconds: float
    """Since the epoch began."""


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """One pass over the training set is done; the fields are those of a line of ``metrics.jsonl``."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    max_change: float
    seconds: float
    alpha: float
    """Of the last step."""
    monitor_loss: float | None = None
    """Of the weights at the end, on the samples by which the best weights are found: see ``training.monitoring``."""


@dataclass(frozen=True, slots=True)
class DiagnosticsComputed:
    """How the layers are after an epoch, where that was asked for."""

    epoch: int
    layers: Sequence[LayerDiagnostics]


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over, and its folder whole, plots included; ``result`` is what ``train --json`` prints."""

    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Warned:
    """Something went wrong, and the run goes on without it."""

    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The last steps of a run were repeated and gave the same bits."""

    steps: int


Event = Loading | Note | Verified | Started | BatchEnded | EpochEnded | DiagnosticsComputed | Finished | Warned
