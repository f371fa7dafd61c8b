"""``cnntrain diff``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import RunsDifferError

FirstRun = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, as written by train.", show_default=False)]
SecondRun = Annotated[Path, typer.Argument(metavar="RUN", help="The run to compare it with.", show_default=False)]


def diff(
    run: FirstRun, other: SecondRun, progress: ProgressOption = ProgressMode.AUTO, json: JsonOption = False
) -> None:
    """Find the first step at which two runs part, and why.

    The steps of both are repeated from their start, or from checkpoints with the same bits. The run folders do not
    change. Exit status 3: the runs differ.
    """
    with errors_as_messages():
        from cnntrain.cli.views.diff_text import print_diff  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.progress_view import open_reporter
        from cnntrain.run_diff.diff import diff_runs

        with open_reporter(progress) as reporter:
            result = diff_runs(run, other, reporter)
        if json:
            print_json(result)
        else:
            print_diff(result, results())
        if not result["identical"]:
            raise typer.Exit(RunsDifferError.exit_code)
