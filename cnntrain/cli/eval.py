"""``cnntrain eval``."""

from enum import StrEnum
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, Overrides, RunArgument
from cnntrain.cli.terminal import errors_as_messages, print_json, results


class Split(StrEnum):
    """Part of the data."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


SplitOption = Annotated[Split, typer.Option("--split", help="Part of the data to evaluate on.")]


def evaluate(
    run: RunArgument,
    overrides: Overrides = None,
    split: SplitOption = Split.TEST,
    json: JsonOption = False,
) -> None:
    """Measure loss and accuracy of the saved weights in RUN.

    Data that have moved since are named by data.path=FOLDER.
    """
    with errors_as_messages():
        from cnntrain.cli.tables import evaluation_table  # imported late: `cnntrain --help` needs none of it
        from cnntrain.training import evaluate

        result = evaluate(run, split.value, overrides or ())
        if json:
            print_json(result)
        else:
            results().print(evaluation_table(result))
