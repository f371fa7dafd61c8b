"""``cnntrain init``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.shell import command
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results

WordArgument = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER|SOURCE",
        help="A folder with a subfolder of images for each class; or other data: a folder or a file, or a name such "
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
        help="The YAML file to write; by default <name of the data>.yaml. No file is overwritten.",
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
    """Look at data and write a config with a network and settings that suit them, each with its reason."""
    with errors_as_messages():
        from cnntrain.autoconfig.init import init
        from cnntrain.cli.views.loading_view import open_reporter  # imported late: `cnntrain --help` needs none of it
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
            f"wrote {result['config']}: a network of {result['parameters']:,} parameters for images of {size}",
            *(
                [f"wrote {result['schema']}, by which editors complete and check the config"]
                if result["schema"]
                else []
            ),
            f"next: {words}",
            f"or, to see how long that takes: {words} --dry-run",
        ):
            results().print(line, soft_wrap=True)
