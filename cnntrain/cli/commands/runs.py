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


SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="KEY",
        help="Sort by a figure (validation.loss, validation.accuracy, test.accuracy, epochs, seconds, started) or a "
        "key of the config (training.alpha), best or smallest first; -KEY reverses the order.",
        show_default=False,
    ),
]

CsvOption = Annotated[bool, typer.Option("--csv", help="Print a CSV table with the config keys in which runs differ.")]


def runs(
    folders: FoldersArgument = None, sort: SortOption = None, csv: CsvOption = False, json: JsonOption = False
) -> None:
    """List runs or compare them.

    The list shows the best metrics of each run. Two or more run folders are compared side by side, with the config
    keys in which they differ. Runs that differ only by seed get a line with mean and standard deviation.
    """
    with errors_as_messages():
        from cnntrain.errors import UsageError  # imported late: `cnntrain --help` needs none of it
        from cnntrain.runs.compare import list_runs, runs_as_csv

        if csv and json:
            raise UsageError("--csv and --json exclude each other; choose one")
        if csv:
            print(runs_as_csv(folders or [Path("runs")], sort), end="")
            return
        result = list_runs(folders or [Path("runs")], sort)
        if json:
            print_json(result)
            return
        from cnntrain.cli.views.runs_view import show

        show(result, results())
        for run in result["runs"]:
            if run["problem"]:
                print_warning(f"{run['run']}: {run['problem']}")
