"""``cnntrain schema``."""

from cnntrain.cli.options import JsonOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json


def schema(json: JsonOption = False) -> None:
    """Print the JSON Schema of configs, for use in editors."""
    with errors_as_messages():
        # imported late: `cnntrain --help` needs none of it
        from cnntrain.config.json_schema import json_schema, schema_text

        if json:
            print_json(json_schema())
        else:
            print(schema_text(), end="")
