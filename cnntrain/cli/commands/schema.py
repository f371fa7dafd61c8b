"""``cnntrain schema``."""

from cnntrain.cli.options import JsonOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json


def schema(json: JsonOption = False) -> None:
    """Print the JSON Schema of a config, by which editors complete and check one."""
    with errors_as_messages():
        from cnntrain.config.json_schema import (
            json_schema,
            schema_text,
        )  # imported late: `cnntrain --help` needs none

        if json:
            print_json(json_schema())
        else:
            print(schema_text(), end="")
