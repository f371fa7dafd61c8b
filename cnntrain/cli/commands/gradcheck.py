"""``cnntrain gradcheck``."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cnntrain.cli.config_argument import note_which_config
from cnntrain.cli.options import JsonOption, Overrides, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import GradientError, UsageError

LIST = "list"
"""The word that lists the faults."""
ConfigArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG|RUN",
        help="YAML file, name of a bundled config, run folder or .safetensors file.",
        callback=note_which_config,
        show_default=False,
    ),
]
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
        metavar="TENSOR:FAULT|list",
        help="Inject a fault into a gradient to see it caught: no_flip, flip_dW, no_mask, mean_for_sum, lost_stride, "
        "overwrite, no_mean or no_skip. Can be repeated. list describes them, and where they apply in CONFIG.",
        show_default=False,
    ),
]


def gradcheck(
    config: ConfigArgument = None,
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
        if LIST in (inject or ()):
            _list_faults(config, overrides or [], json)
            return
        if config is None:
            raise UsageError("CONFIG|RUN is missing: name a config or run to check; --inject list needs none")

        from cnntrain.cli.views.progress_view import (
            open_gradcheck_progress,
        )  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.tables import fault_verdict, gradients_table, verdict
        from cnntrain.gradient_check.check import gradcheck as check_gradients

        with open_gradcheck_progress(progress) as show:
            result = check_gradients(
                config, overrides or (), samples=count, threshold=threshold, inject=inject or (), progress=show
            )
        if json:
            print_json(result)
        else:
            results().print(gradients_table(result))
            for line in [verdict(result), *map(fault_verdict, result["faults"])]:
                results().print_sentence(line)
        if not result["passed"]:
            raise typer.Exit(GradientError.exit_code)


def _list_faults(config: Path | None, overrides: list[str], json: bool) -> None:
    """Print what each fault is, and where it applies in a network."""
    from cnntrain.cli.views.tables import faults_table  # imported late, as above
    from cnntrain.gradient_check.check import load_network
    from cnntrain.gradient_check.fault_injection import describe_faults

    faults: list[dict[str, Any]] = describe_faults(None if config is None else load_network(config, overrides)[0])
    if json:
        print_json({"faults": faults})
        return
    results().print(faults_table(faults))
    where = "CONFIG" if config is None else str(config)
    results().print_sentence(f"example: cnntrain gradcheck {where} --inject layers.0.W:no_flip")


def _parse_samples(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise UsageError(f"--samples: expected a whole number of at least 1, or all, got {text[:80]!r}")
