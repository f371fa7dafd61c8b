"""Words that name a config: a file, or one that comes with cnntrain."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.views.terminal import print_note


def say_which(path: Path | None) -> Path | None:
    """Print a note where a word for a config may mean a file as well as a config that comes with cnntrain."""
    if path is not None:
        from cnntrain.config.shipped import found  # imported late: `cnntrain --help` needs none of it

        note = found(path)[1]
        if note:
            print_note(note)
    return path


CONFIG_HELP = (
    "YAML file that describes data, network and training, or the name of one that comes with cnntrain: digits, mnist."
)

ConfigArgument = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help=CONFIG_HELP, callback=say_which, show_default=False),
]

ConfigOrRunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="YAML file, name of a config that comes with cnntrain, run folder or .safetensors file.",
        callback=say_which,
        show_default=False,
    ),
]
