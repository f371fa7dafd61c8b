"""``cnntrain report``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, Overrides, ProgressMode, ProgressOption
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results
from cnntrain.errors import StorageError, UsageError

FolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder, as written by train.", show_default=False)
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="File to write. Default: RUN/report.html.", show_default=False),
]


def report(
    run: FolderArgument,
    overrides: Overrides = None,
    html: HtmlOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Write one HTML page about a run, to hand in or send.

    It shows results, learning curves, the network, per-class metrics, the confusion matrix with images, the most
    confident errors, the config, the environment, and the commands that repeat the run. It needs no network.
    """
    with errors_as_messages():
        from cnntrain.cli.views.progress_view import open_reporter  # imported late: `cnntrain --help` needs none of it
        from cnntrain.report_page.facts import read_facts
        from cnntrain.report_page.html import is_page, page
        from cnntrain.report_page.pictures import choose_pictures
        from cnntrain.storage import write_file

        path = html or run / "report.html"
        if path.is_dir():
            raise UsageError(f"--html {path}: this is a folder; name a file, such as {path / 'report.html'}")
        if os.path.lexists(path) and not is_page(path):
            raise UsageError(f"{path}: this file is no page of report, so it is not replaced; name another with --html")
        with open_reporter(progress) as reporter:
            facts = read_facts(run, overrides or (), reporter)
            pictures = choose_pictures(facts.report)
        content = page(facts, pictures).encode()
        try:
            write_file(path, content)
        except OSError as error:
            raise StorageError(f"{path}: the page cannot be written: {error.strerror or error}") from error
        result = {
            "html": str(path),
            "bytes": len(content),
            "split": facts.report.split,
            "samples": facts.report.score.samples,
            "images": len(pictures.images),
        }
        if json:
            print_json(result)
        else:
            results().print_sentence(f"wrote {path}: {len(content) / 1e6:.2f} MB, {result['images']:,} images")
