"""``cnntrain replay``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results

DivergedArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder that holds a folder postmortem.", show_default=False)
]


def replay(run: DivergedArgument, progress: ProgressOption = ProgressMode.AUTO, json: JsonOption = False) -> None:
    """Repeat the steps that led the run in RUN into infinity, and show where its numbers ran away.

    A run that diverges leaves a folder postmortem, with the checkpoint from which this starts.
    """
    with errors_as_messages():
        from cnntrain.cli.views.loading_view import open_reporter  # imported late: `cnntrain --help` needs none of it
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
