"""``cnntrain schema``."""

import json as json_module
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json

SweepOption = Annotated[bool, typer.Option("--sweep", help="Print the schema of sweep files.")]


def schema(sweep: SweepOption = False, json: JsonOption = False) -> None:
    """Print the JSON Schema of configs, for use in editors."""
    with errors_as_messages():
        # imported late: `cnntrain --help` needs none of it
        from cnntrain.config.json_schema import json_schema, schema_text, sweep_schema

        if json:
            print_json(sweep_schema() if sweep else json_schema())
        elif sweep:
            print(json_module.dumps(sweep_schema(), indent=2))
        else:
            print(schema_text(), end="")
