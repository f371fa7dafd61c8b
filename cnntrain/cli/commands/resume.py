"""``cnntrain resume``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import (
    HealthOption,
    JsonOption,
    NoPlotsOption,
    ProgressMode,
    ProgressOption,
    TimeoutOption,
    WorkersOption,
)
from cnntrain.cli.run_events import show_run
from cnntrain.cli.tensorboard_option import TensorBoardOption, tensorboard_words
from cnntrain.cli.views.terminal import errors_as_messages
from cnntrain.launcher import TIMEOUT

RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder, as written by train.", show_default=False)
]

ResumeOverrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Override config values that past steps do not depend on: training.Max=30 extends the run, "
        "data.path=../data/mnist points to data that have moved.",
        show_default=False,
    ),
]

VerifyOption = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="First repeat the steps between the last two checkpoints; exit with status 3 if the bits differ.",
    ),
]


def resume(
    run: RunFolderArgument,
    overrides: ResumeOverrides = None,
    workers: WorkersOption = None,
    timeout: TimeoutOption = TIMEOUT,  # noqa: ARG001 - read before the command, see cli/ranks.py
    verify: VerifyOption = False,
    tensorboard: TensorBoardOption = None,
    health: HealthOption = False,
    no_plots: NoPlotsOption = False,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Resume RUN from its last checkpoint.

    The result is bit-identical to that of an uninterrupted run, whether RUN was stopped, killed or lost power.
    A finished run continues if training.Max is larger now.
    """
    with errors_as_messages():
        from cnntrain.training.resume import resume_run  # imported late: `cnntrain --help` needs none of it

        words = [*(overrides or ()), *([] if workers is None else [f"training.workers={workers}"])]
        words += tensorboard_words(tensorboard)
        show_run(lambda interrupts: resume_run(run, words, interrupts, verify, health, not no_plots), progress, json)
