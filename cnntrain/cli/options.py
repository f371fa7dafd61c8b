"""Words that several commands understand, so that they mean the same in all of them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ProgressMode(StrEnum):
    """How a command shows what it is at."""

    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    NONE = "none"


RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Run folder or .safetensors file, as train leaves it.", show_default=False),
]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Replaces values of the config: training.alpha=0.01, network.layers.0.conv.K=8, data.path=../data/mnist.",
        show_default=False,
    ),
]

ProgressOption = Annotated[
    ProgressMode,
    typer.Option(
        "--progress",
        help="How stderr shows progress: a live bar (rich), lines (plain) or not at all (none; notes and warnings "
        "remain). auto is rich on a terminal and plain elsewhere.",
    ),
]

WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N|auto",
        help="Processes that share the work; the result is the same to the last bit. By default training.workers, "
        "which is auto.",
        show_default=False,
    ),
]

JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON object, and nothing else, on stdout."),
]

NoPlotsOption = Annotated[bool, typer.Option("--no-plots", help="Draw no plots into the run folder at the end.")]

HealthOption = Annotated[
    bool,
    typer.Option(
        "--health",
        help="After each epoch tell for every layer how large W and dW are, and which ReLUs are dead and sigmoids "
        "saturated.",
    ),
]
