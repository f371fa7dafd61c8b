"""``cnntrain bench``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cnntrain.cli.config_argument import ConfigArgument
from cnntrain.cli.options import JsonOption, Overrides, ProgressMode, ProgressOption, WorkersOption
from cnntrain.cli.views.terminal import errors_as_messages, is_live, messages, print_json, results

BatchesOption = Annotated[
    int | None,
    typer.Option(
        "--batches",
        metavar="N",
        min=1,
        help="Number of batches to time. Default: as many as take one second.",
        show_default=False,
    ),
]


def bench(
    config: ConfigArgument,
    overrides: Overrides = None,
    batches: BatchesOption = None,
    workers: WorkersOption = None,
    progress: ProgressOption = ProgressMode.AUTO,
    json: JsonOption = False,
) -> None:
    """Time each layer and whole training steps on random images.

    Layers are timed on one core, forward and backward, and compared with the core's peak, its fastest product of two
    square matrices. MB are the inputs, outputs, parameters and gradients that a layer must read and write. Whole steps
    are timed with all workers. Nothing is saved.
    """
    with errors_as_messages():
        # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.tables import bench_lines, bench_table
        from cnntrain.config import load_config
        from cnntrain.data.progress import ProgressReporter
        from cnntrain.profiling.bench import bench

        words = [*(overrides or ()), *([] if workers is None else [f"training.workers={workers}"])]
        loaded = load_config(config, words)
        with open_view(progress) as report:
            result = bench(loaded, batches, ProgressReporter(note=report))
        if json:
            print_json(result)
            return
        console = results()
        console.print(bench_table(result, loaded.network.layers, result["input_shape"], console.width))
        for line in bench_lines(result):
            results().print_sentence(line)


@contextmanager
def open_view(mode: ProgressMode) -> Iterator[Callable[[str], None]]:
    """Show progress on stderr as ``--progress`` says: one line that changes, or a line for each measurement.

    The line changes only between two measurements, so that none of them shares its core with a spinner.
    """
    if not is_live(mode):
        yield (lambda _: None) if mode is ProgressMode.NONE else messages().print_sentence
        return
    from rich.live import Live

    with Live(console=messages(live=True), auto_refresh=False, transient=True, redirect_stdout=False) as live:
        yield lambda text: live.update(text, refresh=True)
