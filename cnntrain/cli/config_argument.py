"""Arguments that name a config: a file, or one that comes with cnntrain."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.views.terminal import print_note


def note_which_config(path: Path | None) -> Path | None:
    """Print a note where a name may mean a file as well as a config that comes with cnntrain."""
    if path is not None:
        from cnntrain.config.shipped import resolve_name  # imported late: `cnntrain --help` needs none of it

        note = resolve_name(path)[1]
        if note:
            print_note(note)
    return path


ConfigArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="YAML file that describes data, network and training, or the name of a bundled config: digits, mnist.",
        callback=note_which_config,
        show_default=False,
    ),
]

ConfigOrRunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="YAML file, name of a bundled config, run folder or .safetensors file.",
        callback=note_which_config,
        show_default=False,
    ),
]
