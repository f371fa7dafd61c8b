"""``cnntrain predict``."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from cnntrain.cli.name_list import names_in
from cnntrain.cli.options import JsonOption, RunArgument
from cnntrain.cli.terminal import errors_as_messages
from cnntrain.errors import DataError, UsageError

FilesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER...",
        help="Pictures of any size, and folders of them; - reads names from stdin, one a line or NUL-separated.",
        show_default=False,
    ),
]
TopOption = Annotated[int, typer.Option("--top", metavar="K", min=1, help="Tell the K most probable classes.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print a table of comma-separated values on stdout.")]


def predict(
    run: RunArgument,
    files: FilesArgument,
    top: TopOption = 1,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Name the class of pictures, and how probable it is.

    Pictures are brought to the network's size and colours as they were in training. Exit status 4 says that some could
    not be read; stderr tells which, and all others are done.
    """
    with errors_as_messages():
        if json and csv:
            raise UsageError("--json and --csv exclude each other")

        from cnntrain.cli.prediction_view import open_view  # imported late: `cnntrain --help` needs none of it
        from cnntrain.model import load

        model = load(run)
        with open_view(model, top, "json" if json else "csv" if csv else "text") as view:
            for entries in model.predictions(named(files), top, view.failed, view.note):
                view.show(entries)
        if view.failures:
            raise typer.Exit(DataError.exit_code)


def named(words: Sequence[str]) -> Iterator[str]:
    """Yield the files and folders that are named; ``-`` stands for the names on stdin."""
    for word in words:
        if word == "-" and sys.stdin is not None:
            yield from names_in(sys.stdin.buffer)
        else:
            yield word
