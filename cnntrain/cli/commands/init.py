"""``cnntrain init``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import command, errors_as_messages, print_json, results
from cnntrain.errors import UsageError

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
SizeOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="N",
        min=1,
        max=4096,
        help="Rows and columns that images are resized to, for a network from scratch. Default: 64, or less.",
        show_default=False,
    ),
]
SmallOption = Annotated[bool, typer.Option("--small", help="A network from scratch, with half the filters.")]
LargeOption = Annotated[bool, typer.Option("--large", help="A network from scratch, with twice the filters.")]
MinutesOption = Annotated[
    float | None,
    typer.Option(
        "--minutes",
        metavar="M",
        help="Choose network and epochs so that training takes at most M minutes here, by timing a few steps.",
        show_default=False,
    ),
]


def init(
    source: WordArgument,
    overrides: DataOverrides = None,
    out: OutOption = None,
    size: SizeOption = None,
    small: SmallOption = False,
    large: LargeOption = False,
    minutes: MinutesOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Inspect data and write a config that suits them.

    Each setting in the config comes with its reason.
    """
    with errors_as_messages():
        from cnntrain.autoconfig.init import init
        from cnntrain.autoconfig.recommend import NetworkSize
        from cnntrain.cli.views.progress_view import open_reporter  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.tables import choice_lines

        if small and large:
            raise UsageError("--small and --large exclude each other")
        if minutes is not None and not 0 < minutes < float("inf"):
            raise UsageError(f"--minutes is a number above 0, got {minutes:g}")
        network_size: NetworkSize | None = "small" if small else "large" if large else None
        with open_reporter(progress) as reporter:
            result = init(source, out, reporter, overrides or (), size, network_size, minutes)
        if json:
            print_json(result)
            return
        words = command("cnntrain", "train", result["config"])
        shape = " x ".join(map(str, result["image_shape"]))
        for line in (
            f"found {result['found']}",
            *choice_lines(result["choices"], 2),
            f"wrote {result['config']}: a network of {result['parameters']:,} parameters for images of {shape}"
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
