"""The option ``--tensorboard [DIR]`` of ``train`` and ``resume``."""

import os
import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

OPTION = "--tensorboard"
ASSIGNMENT = re.compile(r"[\w.]+=")
"""How an override ``KEY=VALUE`` begins."""

TensorBoardOption = Annotated[
    str | None,
    typer.Option(
        OPTION,
        metavar="[DIR]",
        help="Write event files for TensorBoard into DIR. Default: RUN/tensorboard. Requires: "
        'pip install "cnntrain[tensorboard]".',
        show_default=False,
    ),
]


class TensorBoardCommand(TyperCommand):
    """A command with ``--tensorboard [DIR]``: Typer has no options whose value may be left out.

    The next word is DIR, unless it is another option, an override, or the only word for the command's argument.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        words = list(args)
        if OPTION in words:
            index = words.index(OPTION)
            following = words[index + 1 : index + 2]
            if following and not following[0].startswith("-") and not ASSIGNMENT.match(following[0]):
                joined = [*words[:index], f"{OPTION}={following[0]}", *words[index + 2 :]]
                if self._has_argument(ctx, joined):
                    return super().parse_args(ctx, joined)
            words[index] = f"{OPTION}="
        return super().parse_args(ctx, words)

    def _has_argument(self, ctx: Any, words: list[str]) -> bool:
        """Return whether a command line has a word for the command's first argument."""
        first = next(param.name for param in self.params if param.param_type_name == "argument")
        values, _, _ = self.make_parser(ctx).parse_args(args=list(words))
        value = values.get(first)
        return isinstance(value, str) and not ASSIGNMENT.match(value)


def tensorboard_words(folder: str | None) -> list[str]:
    """Return the override that the option means: nothing for None, RUN/tensorboard for an empty text."""
    if folder is None:
        return []
    if not folder:
        return ["training.tensorboard=true"]
    expanded = os.path.expanduser(folder)
    return [f"training.tensorboard={expanded if os.path.isabs(expanded) else os.path.join('.', expanded)}"]
