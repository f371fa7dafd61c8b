"""``cnntrain train``."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnntrain.cli.options import ConfigArgument, JsonOption, Overrides, Progress, ProgressOption, WorkersOption
from cnntrain.cli.terminal import errors_as_messages, print_json, results

if TYPE_CHECKING:
    from cnntrain.config import Config

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder for the run; by default runs/<name of CONFIG>, -2, -3, ...: no run is overwritten.",
        show_default=False,
    ),
]

DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Train nothing and write nothing: load the data, build the network, show it, and estimate from a step how "
        "long training takes.",
    ),
]


def train(
    config: ConfigArgument,
    overrides: Overrides = None,
    out: OutOption = None,
    workers: WorkersOption = None,
    dry_run: DryRunOption = False,
    progress: ProgressOption = Progress.AUTO,
    json: JsonOption = False,
) -> None:
    """Train the network in CONFIG and keep its weights.

    Ctrl-C stops after the batch at hand and saves; the exit status is then 130.
    """
    with errors_as_messages():
        from cnntrain.cli.training_view import open_view  # imported late: `cnntrain --help` needs none of it
        from cnntrain.config import load_config
        from cnntrain.training import fit
        from cnntrain.training.events import Finished
        from cnntrain.training.interrupts import Interrupts

        words = [*(overrides or ()), *([] if workers is None else [f"training.workers={workers}"])]
        loaded = load_config(config, words)
        if dry_run:
            _show_dry_run(loaded, progress, json)
            return
        stop = ""
        with open_view(progress, loaded.network.layers) as view, Interrupts(tell=view.stopping) as interrupts:
            for event in fit(loaded, out, interrupts):
                view.show(event)
                if isinstance(event, Finished):  # what follows are plots, and the error of a run that diverged
                    stop = event.result["stop"]
                    _print_result(event.result, json)
        if stop == "interrupted":
            raise typer.Exit(128 + (interrupts.signal or signal.SIGINT))


def _print_result(result: dict[str, Any], json: bool) -> None:
    if json:
        print_json(result)
        return
    from cnntrain.cli.training_text import result_lines

    for line in result_lines(result):
        results().print(line, soft_wrap=True)


def _show_dry_run(config: "Config", progress: Progress, json: bool) -> None:
    from cnntrain.cli.dry_run_text import dry_run_lines
    from cnntrain.cli.loading_view import open_watch
    from cnntrain.cli.tables import layers_table
    from cnntrain.training.dry_run import dry_run

    with open_watch(progress) as watch:
        result = dry_run(config, watch)
    if json:
        print_json(result)
        return
    results().print(layers_table(result, config.network.layers, result["input_shape"]))
    results().print()
    for line in dry_run_lines(result, config.data.source if config.data else ""):
        results().print(line, soft_wrap=True)
