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
        help="Images of any size, folders of images, CSV or npz files of images; - reads names from stdin, one per "
        "line or NUL-separated.",
        show_default=False,
    ),
]
TopOption = Annotated[int, typer.Option("--top", metavar="K", min=1, help="Show the K most probable classes.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print comma-separated values on stdout.")]


def predict(
    run: RunArgument,
    files: FilesArgument,
    top: TopOption = 1,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Classify images.

    Images are resized and converted as in training. CSV and npz files must hold images of the network's size;
    labels in them are ignored. Exit status 4: some images could not be read. They are listed on stderr, and all
    others are classified.
    """
    with errors_as_messages():
        if json and csv:
            raise UsageError("--json and --csv exclude each other")

        from cnntrain.cli.views.prediction_view import open_view  # imported late: `cnntrain --help` needs none of it
        from cnntrain.inference.predictor import load
        from cnntrain.inference.tables import is_table

        model = load(run)
        output: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
        with open_view(model, top, output, samples=any(map(is_table, files))) as view:
            for entries in model.predictions(named(files), top, view.failed, view.note):
                view.show(entries)
        if view.failures:
            raise typer.Exit(DataError.exit_code)


def named(words: Sequence[str]) -> Iterator[str]:
    """Yield the names of files and folders; ``-`` stands for the names on stdin."""
    from cnntrain.inference.tables import is_table  # imported late, with all that reads files

    for word in words:
        if word == "-" and sys.stdin is not None:
            for name in names_in(sys.stdin.buffer):
                if is_table(name):
                    raise UsageError(f"{name}: name CSV and npz files on the command line, not in the list")
                yield name
        else:
            yield word
