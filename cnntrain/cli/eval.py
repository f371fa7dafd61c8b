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

PlotsOption = Annotated[
    bool,
    typer.Option("--plots", help="Draw confusion matrix, mistakes and calibration as PNG files into RUN/eval."),
]


def evaluate(
    run: RunArgument,
    overrides: Overrides = None,
    split: SplitOption = Split.TEST,
    plots: PlotsOption = False,
    json: JsonOption = False,
) -> None:
    """Measure how good the saved weights in RUN are.

    Told are loss and accuracy, the figures of each class, which classes are mixed up, and the surest mistakes.
    Data that have moved since are named by data.path=FOLDER.
    """
    with errors_as_messages():
        from cnntrain.cli.evaluation_view import show  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.loading_view import open_watch
        from cnntrain.judging.evaluation import judge_saved, told

        with open_watch() as watch:
            judgement = judge_saved(run, split.value, overrides or (), watch)
        result = told(run, judgement, plots)
        if json:
            print_json(result)
        else:
            show(result, results())
