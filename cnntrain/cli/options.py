"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ProgressMode(StrEnum):
    """How a command shows its progress."""

    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    NONE = "none"


RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Run folder or .safetensors file, as written by train.", show_default=False),
]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Override config values: training.alpha=0.01, network.layers.0.conv.K=8, data.path=../data/mnist.",
        show_default=False,
    ),
]

ProgressOption = Annotated[
    ProgressMode,
    typer.Option(
        "--progress",
        help="Show progress on stderr as a live bar (rich), as lines (plain), or only notes and warnings (none). "
        "auto means rich on a terminal and plain elsewhere.",
    ),
]

WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N|auto",
        help="Number of worker processes; the result is bit-identical for any number. Default: training.workers, "
        "which defaults to auto.",
        show_default=False,
    ),
]

TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=1,
        help="Under mpiexec or srun: end the run if a rank gives no sign of life for that long.",
    ),
]

JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result on stdout as a single JSON object."),
]

NoPlotsOption = Annotated[bool, typer.Option("--no-plots", help="Do not draw plots into the run folder.")]

HealthOption = Annotated[
    bool,
    typer.Option(
        "--health",
        help="After each epoch, show the mean size of W and dW of each layer, and its share of dead ReLUs or saturated "
        "sigmoids.",
    ),
]
