"""``cnntrain doctor``."""

import time

import typer

from cnntrain.cli.config_argument import ConfigOrRunArgument
from cnntrain.cli.options import JsonOption, Overrides, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import SanityCheckError


def doctor(
    config: ConfigOrRunArgument,
    overrides: Overrides = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Check data, network and training before a long run.

    Each check passes, warns or fails, with the figure and what to do. A part of the samples is trained on, and nothing
    is written. Exit status 3: a check failed.
    """
    with errors_as_messages():
        from cnntrain.cli.views.doctor_text import print_report  # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.progress_view import open_reporter
        from cnntrain.sanity_checks.doctor import doctor as run_checks

        began = time.monotonic()
        with open_reporter(progress) as reporter:
            report = run_checks(config, overrides or (), reporter)
        if json:
            print_json(report)
        else:
            print_report(report, time.monotonic() - began, results())
        if not report["passed"]:
            raise typer.Exit(SanityCheckError.exit_code)
