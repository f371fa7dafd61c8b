"""``cnntrain replay``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results

DivergedArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Run folder of a diverged run: it contains a folder named postmortem.", show_default=False
    ),
]


def replay(run: DivergedArgument, progress: ProgressOption = ProgressMode.AUTO, json: JsonOption = False) -> None:
    """Replay a diverged run up to its first non-finite tensor.

    The replay starts from the checkpoint in RUN/postmortem, which a diverged run leaves behind.
    """
    with errors_as_messages():
        from cnntrain.cli.views.progress_view import open_reporter  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.replay_text import outputs_table, parameters_table, summary_lines
        from cnntrain.training.checkpointing.replay import replay

        with open_reporter(progress) as reporter:
            report = replay(run, reporter)
        if json:
            print_json(report)
            return
        console = results()
        for line in summary_lines(report):
            console.print_sentence(line)
        console.print()
        console.print(parameters_table(report))
        console.print()
        console.print(outputs_table(report))
