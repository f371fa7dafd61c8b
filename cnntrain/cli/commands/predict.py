"""``cnntrain predict``."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import typer

from cnntrain.cli.name_list import names_in
from cnntrain.cli.options import JsonOption, RunArgument
from cnntrain.cli.views.terminal import errors_as_messages
from cnntrain.errors import DataError, UsageError

FilesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER...",
        help="Images of any size, folders of them, CSV and npz files of images; - reads names from stdin, one a line "
        "or NUL-separated.",
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
    """Classify images.

    Images are brought to the network's size and colors as in training. A CSV or npz file holds images of that size;
    its labels, if there are any, do not matter. Exit status 4 says that some could
    not be read; stderr tells which, and all others are done.
    """
    with errors_as_messages():
        if json and csv:
            raise UsageError("--json and --csv exclude each other")

        from cnntrain.cli.views.prediction_view import open_view  # imported late: `cnntrain --help` needs none of it
        from cnntrain.inference.predictor import load
        from cnntrain.inference.tables import is_table

        model = load(run)
        form: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
        with open_view(model, top, form, samples=any(map(is_table, files))) as view:
            for entries in model.predictions(named(files), top, view.failed, view.note):
                view.show(entries)
        if view.failures:
            raise typer.Exit(DataError.exit_code)


def named(words: Sequence[str]) -> Iterator[str]:
    """Yield the files and folders that are named; ``-`` stands for the names on stdin."""
    from cnntrain.inference.tables import is_table  # imported late, with all that reads files

    for word in words:
        if word == "-" and sys.stdin is not None:
            for name in names_in(sys.stdin.buffer):
                if is_table(name):
                    raise UsageError(f"{name}: a CSV or npz file is named on the command line, not in the list")
                yield name
        else:
            yield word
