"""``cnntrain sweep``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnntrain.cli.config_argument import note_which_config
from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import command, errors_as_messages, print_json

if TYPE_CHECKING:
    from cnntrain.config.sweep.sweep_file import Sweep

SweepArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SWEEP|CONFIG",
        help="Sweep file, or the folder of a sweep; or a config, if the words say what varies.",
        callback=note_which_config,
        show_default=False,
    ),
]

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUES",
        help="What varies: training.alpha=1e-4..1e-1, training.batch_size=16,32. A single value overrides the config: "
        "training.Max=20. Keys of the sweep: trials=60, method=random, goal=validation.accuracy, halving.first=5.",
        show_default=False,
    ),
]

ParallelOption = Annotated[
    int,
    typer.Option(
        "--parallel",
        "-p",
        metavar="N",
        min=1,
        help="Number of trials trained at a time. The result is the same for any number.",
    ),
]

SweepOutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder of the sweep. Default: sweeps/NAME.", show_default=False),
]

SweepDryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what varies, the first trials and the time, without training or writing."),
]

NoSweepPlotsOption = Annotated[bool, typer.Option("--no-plots", help="Do not draw plots into the sweep's folder.")]


def sweep(
    config: SweepArgument,
    words: Words = None,
    parallel: ParallelOption = 1,
    out: SweepOutOption = None,
    dry_run: SweepDryRunOption = False,
    no_plots: NoSweepPlotsOption = False,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Search for good values of config keys.

    Each trial is an ordinary run; Optuna chooses its values by the validation results of earlier trials. Ctrl-C saves
    the running trials, and the same command resumes the sweep. Requires: pip install "cnntrain[sweep]". Exit status 6:
    no trial is complete.
    """
    with errors_as_messages():
        from cnntrain.cli.sweep_events import require_optuna, show_sweep  # imported late: `cnntrain --help` needs none
        from cnntrain.config.sweep.sweep_file import SWEEP_FILE, load_sweep

        require_optuna()
        loaded = load_sweep(config, words or ())
        folder = out or (config if (config / SWEEP_FILE).is_file() else Path("sweeps") / loaded.name)
        if dry_run:
            _show_dry_run(loaded, folder, parallel, progress, json)
            return
        options = [
            *([] if parallel == 1 else ["--parallel", str(parallel)]),
            *([] if out is None else ["--out", str(out)]),
        ]
        again = command("cnntrain", "sweep", str(config), *(words or ()), *options)
        show_sweep(loaded, folder, parallel, not no_plots, progress, json, again)


def _show_dry_run(sweep: "Sweep", folder: Path, parallel: int, progress: ProgressMode, json: bool) -> None:
    from cnntrain.cli.views.progress_view import open_reporter
    from cnntrain.cli.views.sweep_text import show_dry_run
    from cnntrain.cli.views.terminal import results
    from cnntrain.sweep.dry_run import dry_run

    with open_reporter(progress) as reporter:
        result = dry_run(sweep, folder, parallel, reporter)
    if json:
        print_json(result)
        return
    show_dry_run(result, sweep, results())
