"""``cnntrain init``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import command, errors_as_messages, print_json, results

WordArgument = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER|SOURCE",
        help="Folder with one subfolder of images per class, or other data: a folder, a file, or a named dataset such "
        "as mnist.",
        show_default=False,
    ),
]
DataOverrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Keys of data to use and to write into the config: data.label=COLUMN, data.labels=FILE.csv.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="YAML file to write; an existing file is never overwritten. Default: NAME.yaml, after the data.",
        show_default=False,
    ),
]


def init(
    source: WordArgument,
    overrides: DataOverrides = None,
    out: OutOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Inspect data and write a config that suits them.

    Each setting in the config comes with its reason.
    """
    with errors_as_messages():
        from cnntrain.autoconfig.init import init
        from cnntrain.cli.views.progress_view import open_reporter  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.tables import choice_lines

        with open_reporter(progress) as reporter:
            result = init(source, out, reporter, overrides or ())
        if json:
            print_json(result)
            return
        words = command("cnntrain", "train", result["config"])
        size = " x ".join(map(str, result["image_shape"]))
        for line in (
            f"found {result['found']}",
            *choice_lines(result["choices"], 2),
            f"wrote {result['config']}: a network of {result['parameters']:,} parameters for images of {size}"
            + (f", on pretrained features of {result['features']}" if result["features"] else ""),
            *(
                [f"wrote {result['schema']}, which lets editors complete and check the config"]
                if result["schema"]
                else []
            ),
            f"next: {words}",
            f"or, to estimate the training time: {words} --dry-run",
        ):
            results().print(line, soft_wrap=True)
