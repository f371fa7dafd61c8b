"""Shows a run while it trains, and its result: for ``train`` and ``resume``."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import typer

from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views.terminal import print_json, results
from cnntrain.streams import tolerant_stream

if TYPE_CHECKING:
    from cnntrain.training.events import Event
    from cnntrain.training.interrupts import Interrupts

SIGBREAK = getattr(signal, "SIGBREAK", None)
"""Windows only: Ctrl-Break, and how services and other programs ask a process to end."""


def show_run(events: "Callable[[Interrupts], Iterator[Event]]", progress: ProgressMode, json: bool) -> None:
    """Show the events of a run and print its result; the run continues even if stdout and stderr are closed.

    Raises:
        typer.Exit: With status 129, 130 or 143 if a signal stopped the run.
        CnntrainError: What the events raise.
    """
    from cnntrain.cli.views.training_text import next_line  # imported late: `cnntrain --help` needs none of it
    from cnntrain.cli.views.training_view import open_view
    from cnntrain.training.events import TrainingEnded, TrainingStarted
    from cnntrain.training.interrupts import Interrupts

    stop, run = "", None
    with (
        redirect_stdout(tolerant_stream(sys.stdout)),
        open_view(progress) as view,
        Interrupts(on_signal=view.stopping) as interrupts,
    ):
        try:
            for event in events(interrupts):
                view.show(event)
                if isinstance(event, TrainingStarted):
                    run = event.run
                elif isinstance(event, TrainingEnded):  # only the error of a run that diverged may follow
                    stop = event.result["stop"]
                    print_result(event.result, json)
        except KeyboardInterrupt as error:
            if run is None:
                raise
            raise KeyboardInterrupt(*(error.args or (signal.SIGINT,)), next_line("resume", run)) from None
    if stop == "interrupted":
        number = interrupts.signal or signal.SIGINT
        raise typer.Exit(128 + (signal.SIGTERM if number == SIGBREAK else number))


def print_result(result: dict[str, Any], json: bool) -> None:
    """Print how a run ended."""
    if json:
        print_json(result)
        return
    from cnntrain.cli.views.training_text import result_lines

    console = results()
    for line in result_lines(result):
        if line.startswith(("run in ", "next: ")):  # one line each, to be copied
            console.print(line, soft_wrap=True)
        else:
            console.print_sentence(line)
