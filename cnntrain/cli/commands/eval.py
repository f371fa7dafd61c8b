"""``cnntrain eval``."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, RunArgument
from cnntrain.cli.views.terminal import errors_as_messages, messages, print_json, results
from cnntrain.errors import UsageError


class Split(StrEnum):
    """A split of the data."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATA] KEY=VALUE",
        help="DATA, with --all: other labeled data (folder, file or named dataset). KEY=VALUE: override stored config "
        "values, such as data.path=../data/mnist.",
        show_default=False,
    ),
]
SplitOption = Annotated[
    Split | None,
    typer.Option("--split", help="Split to evaluate on. Default: test.", show_default=False),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Evaluate on all samples of the data, or of DATA, regardless of splits.")
]

PlotsOption = Annotated[
    bool,
    typer.Option("--plots", help="Plot the confusion matrix, most confident errors and calibration into RUN/eval."),
]


def evaluate(
    run: RunArgument,
    words: Words = None,
    split: SplitOption = None,
    everything: AllOption = False,
    plots: PlotsOption = False,
    json: JsonOption = False,
) -> None:
    """Evaluate the saved weights of RUN.

    Report loss, accuracy, per-class metrics, the confusion matrix and the most confident errors. If the data have
    moved since training, pass data.path=FOLDER. With --all, evaluate on all samples instead of one split.
    """
    with errors_as_messages():
        from cnntrain.cli.views.evaluation_view import show  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.progress_view import open_reporter
        from cnntrain.data.fonts import missing_note
        from cnntrain.evaluation.evaluate import evaluate_all_samples, evaluate_run, evaluate_saved

        source, overrides = data_among(words or [])
        if everything and split is not None:
            raise UsageError("--all and --split exclude each other")
        if source is not None and not everything:
            raise UsageError(f"{source}: to evaluate on other data, add --all; overrides are KEY=VALUE")
        with open_reporter() as reporter:
            if everything:
                report = evaluate_all_samples(run, source, overrides, reporter)
            else:
                report = evaluate_saved(run, (split or Split.TEST).value, overrides, reporter)
        result = evaluate_run(run, report, plots)
        if plots and (note := missing_note(report.classes)):
            messages().print_sentence(note)
        if json:
            print_json(result)
        else:
            show(result, results())


def data_among(words: list[str]) -> tuple[str | None, list[str]]:
    """Return DATA, if the first word is no override, and the overrides."""
    if words and ("=" not in words[0] or os.path.exists(words[0])):
        return words[0], words[1:]
    return None, words
