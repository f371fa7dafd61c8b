"""``cnntrain gradcheck``."""

from typing import Annotated, Literal

import typer

from cnntrain.cli.config_argument import ConfigOrRunArgument
from cnntrain.cli.options import JsonOption, Overrides, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import GradientError, UsageError

SamplesOption = Annotated[
    str, typer.Option("--samples", metavar="N|all", help="Number of entries of each tensor to compare.")
]
ThresholdOption = Annotated[
    float, typer.Option("--threshold", metavar="ERROR", help="Largest relative error that passes.")
]
InjectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--inject",
        metavar="TENSOR:FAULT",
        help="Inject a fault into a gradient to see it caught: no_flip, no_mask, mean_for_sum, lost_stride or "
        "no_mean. Can be repeated.",
        show_default=False,
    ),
]


def gradcheck(
    config: ConfigOrRunArgument,
    overrides: Overrides = None,
    samples: SamplesOption = "20",
    threshold: ThresholdOption = 1e-6,
    inject: InjectOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Check every gradient against finite differences in float64.

    Exit status 3: a gradient differs.
    """
    with errors_as_messages():
        count = _parse_samples(samples)

        from cnntrain.cli.views.progress_view import (
            open_gradcheck_progress,
        )  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.tables import gradients_table, verdict
        from cnntrain.gradient_check.check import gradcheck as check_gradients

        with open_gradcheck_progress(progress) as show:
            result = check_gradients(
                config, overrides or (), samples=count, threshold=threshold, inject=inject or (), progress=show
            )
        if json:
            print_json(result)
        else:
            results().print(gradients_table(result))
            results().print_sentence(verdict(result))
        if not result["passed"]:
            raise typer.Exit(GradientError.exit_code)


def _parse_samples(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise UsageError(f"--samples: expected a whole number of at least 1, or all, got {text[:80]!r}")
