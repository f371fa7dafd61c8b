"""``cnntrain train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnntrain.cli.config_argument import ConfigArgument
from cnntrain.cli.options import (
    HealthOption,
    JsonOption,
    NoPlotsOption,
    Overrides,
    ProgressMode,
    ProgressOption,
    TimeoutOption,
    WorkersOption,
)
from cnntrain.cli.run_events import show_run
from cnntrain.cli.tensorboard_option import TensorBoardOption, tensorboard_words
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.launcher import TIMEOUT

if TYPE_CHECKING:
    from cnntrain.config import Config

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder for the run. Default: runs/NAME, then runs/NAME-2, ...: no run is overwritten.",
        show_default=False,
    ),
]

FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Begin with the weights of RUN, a run folder or a .safetensors file, for the layers that they fit; the "
        "same as network.start_from=RUN.",
        show_default=False,
    ),
]

DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Load the data, build and show the network, and estimate the training time from one step, without "
        "training or writing anything.",
    ),
]


def train(
    config: ConfigArgument,
    overrides: Overrides = None,
    out: OutOption = None,
    start_from: FromOption = None,
    workers: WorkersOption = None,
    timeout: TimeoutOption = TIMEOUT,  # noqa: ARG001 - read before the command, see cli/ranks.py
    dry_run: DryRunOption = False,
    tensorboard: TensorBoardOption = None,
    health: HealthOption = False,
    no_plots: NoPlotsOption = False,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Train the network in CONFIG and save its weights.

    Ctrl-C stops after the current batch, saves a checkpoint and exits with status 130; `cnntrain resume` continues.
    """
    with errors_as_messages():
        from cnntrain.config import load_config  # imported late: `cnntrain --help` needs none of it
        from cnntrain.training.fit import fit

        words = [*(overrides or ()), *([] if workers is None else [f"training.workers={workers}"])]
        words += tensorboard_words(tensorboard)
        if start_from is not None:
            words += [f"network.start_from={start_from}", "network.start_digest=null"]
        loaded = load_config(config, words)
        if dry_run:
            _show_dry_run(loaded, progress, json)
            return
        show_run(lambda interrupts: fit(loaded, out, interrupts, health, not no_plots), progress, json)


def _show_dry_run(config: "Config", progress: ProgressMode, json: bool) -> None:
    from cnntrain.cli.views.progress_view import open_reporter
    from cnntrain.cli.views.tables import layers_table
    from cnntrain.cli.views.training_text import dry_run_lines
    from cnntrain.profiling.dry_run import dry_run

    with open_reporter(progress) as show_run:
        result = dry_run(config, show_run)
    if json:
        print_json(result)
        return
    results().print(layers_table(result, config.network.layers, result["input_shape"]))
    results().print()
    for line in dry_run_lines(result, config.data.source if config.data else ""):
        results().print_sentence(line)
