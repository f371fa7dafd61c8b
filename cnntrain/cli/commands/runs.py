"""``cnntrain runs``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, print_warning, results

FoldersArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FOLDER", help="Run folders, or folders of them; by default runs.", show_default=False),
]


def runs(folders: FoldersArgument = None, json: JsonOption = False) -> None:
    """List runs, or compare those that are named.

    The list has the best figures of each run. Two or more run folders are set side by side, with the keys of their
    configs that differ.
    """
    with errors_as_messages():
        from cnntrain.runs.compare import list_runs as find  # imported late: `cnntrain --help` needs none of it

        result = find(folders or [Path("runs")])
        if json:
            print_json(result)
            return
        from cnntrain.cli.views.runs_view import show

        show(result, results())
        for run in result["runs"]:
            if run["problem"]:
                print_warning(f"{run['run']}: {run['problem']}")
