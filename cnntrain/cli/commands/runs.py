"""``cnntrain runs``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, print_warning, results

FoldersArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FOLDER", help="Run folders, or folders of run folders. Default: runs.", show_default=False),
]


def runs(folders: FoldersArgument = None, json: JsonOption = False) -> None:
    """List runs or compare them.

    The list shows the best metrics of each run. Two or more run folders are compared side by side, with the config
    keys in which they differ.
    """
    with errors_as_messages():
        from cnntrain.runs.compare import list_runs  # imported late: `cnntrain --help` needs none of it

        result = list_runs(folders or [Path("runs")])
        if json:
            print_json(result)
            return
        from cnntrain.cli.views.runs_view import show

        show(result, results())
        for run in result["runs"]:
            if run["problem"]:
                print_warning(f"{run['run']}: {run['problem']}")
