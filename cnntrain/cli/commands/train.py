"""``cnntrain train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnntrain.cli.commands.resume import VerifyOption, resume_run
from cnntrain.cli.config_words import CONFIG_HELP, say_which
from cnntrain.cli.options import (
    HealthOption,
    JsonOption,
    NoPlotsOption,
    Overrides,
    ProgressMode,
    ProgressOption,
    WorkersOption,
)
from cnntrain.cli.run_events import show_run
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import UsageError

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


ResumeOption = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="RUN",
        help="Go on with the run in this folder instead; it has its own CONFIG. The same as cnntrain resume RUN.",
        show_default=False,
    ),
]

OptionalConfigArgument = Annotated[
    Path | None,
    typer.Argument(metavar="CONFIG", help=CONFIG_HELP, callback=say_which, show_default=False),
]


def train(
    config: OptionalConfigArgument = None,
    overrides: Overrides = None,
    out: OutOption = None,
    workers: WorkersOption = None,
    dry_run: DryRunOption = False,
    run: ResumeOption = None,
    verify: VerifyOption = False,
    health: HealthOption = False,
    no_plots: NoPlotsOption = False,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Train the network in CONFIG and keep its weights.

    Ctrl-C stops after the batch at hand and saves; the exit status is then 130, and cnntrain resume goes on.
    """
    with errors_as_messages():
        if run is not None:
            words = [*([] if config is None else [str(config)]), *(overrides or ())]
            _check_words(words, out, dry_run)
            resume_run(run, words, workers, verify, health, no_plots, progress, json)
            return
        if config is None:
            raise UsageError("a CONFIG is needed, such as digits, which comes with cnntrain; or --resume RUN")
        if verify:
            raise UsageError("--verify repeats steps of a run that goes on: use it with --resume RUN")
        from cnntrain.config import load_config  # imported late: `cnntrain --help` needs none of it
        from cnntrain.training.fit import fit

        words = [*(overrides or ()), *([] if workers is None else [f"training.workers={workers}"])]
        loaded = load_config(config, words)
        if dry_run:
            _show_dry_run(loaded, progress, json)
            return
        show_run(lambda interrupts: fit(loaded, out, interrupts, health, not no_plots), progress, json)


def _check_words(words: list[str], out: Path | None, dry_run: bool) -> None:
    """Raise UsageError for what makes no sense beside ``--resume``."""
    if out is not None or dry_run:
        raise UsageError(f"{'--out' if out is not None else '--dry-run'} and --resume RUN do not go together")
    if words and "=" not in words[0]:
        raise UsageError(f"{words[0]}: with --resume RUN there is no CONFIG: the run has its own; KEY=VALUE changes it")


def _show_dry_run(config: "Config", progress: ProgressMode, json: bool) -> None:
    from cnntrain.cli.views.dry_run_text import dry_run_lines
    from cnntrain.cli.views.loading_view import open_reporter
    from cnntrain.cli.views.tables import layers_table
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
