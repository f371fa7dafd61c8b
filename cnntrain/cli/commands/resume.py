"""``cnntrain resume``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import HealthOption, JsonOption, NoPlotsOption, ProgressMode, ProgressOption, WorkersOption
from cnntrain.cli.run_events import show_run
from cnntrain.cli.views.terminal import errors_as_messages

FolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder, as train leaves it.", show_default=False)
]

Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Replaces values of the run's config that no step so far depends on: training.Max=30 extends the run, "
        "data.path=../data/mnist names data that have moved.",
        show_default=False,
    ),
]

VerifyOption = Annotated[
    bool,
    typer.Option(
        "--verify", help="First repeat the steps between the last two checkpoints; exit 3 if they give other bits."
    ),
]


def resume(
    run: FolderArgument,
    overrides: Changes = None,
    workers: WorkersOption = None,
    verify: VerifyOption = False,
    health: HealthOption = False,
    no_plots: NoPlotsOption = False,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Go on with the run in RUN as if it had never stopped, to the same weights.

    It may have been stopped, killed or cut off from power; or it is over, and training.Max is greater now.
    """
    with errors_as_messages():
        resume_run(run, overrides or [], workers, verify, health, no_plots, progress, json)


def resume_run(
    run: Path,
    overrides: list[str],
    workers: str | None,
    verify: bool,
    health: bool,
    no_plots: bool,
    progress: ProgressMode,
    json: bool,
) -> None:
    """Go on with a run; what ``train --resume`` does, too."""
    from cnntrain.training.resume import resume_run  # imported late: `cnntrain --help` needs none of it

    words = [*overrides, *([] if workers is None else [f"training.workers={workers}"])]
    show_run(lambda interrupts: resume_run(run, words, interrupts, verify, health, not no_plots), progress, json)
