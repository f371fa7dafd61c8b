"""Showing a run while it trains, and its result at the end: what ``train`` and ``resume`` have in common."""

import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from cnntrain.cli.options import Progress
from cnntrain.cli.terminal import print_json, results

if TYPE_CHECKING:
    from cnntrain.training.events import Event
    from cnntrain.training.interrupts import Interrupts

SIGBREAK = getattr(signal, "SIGBREAK", None)
"""Windows only: Ctrl-Break, and how services and other programs ask a process to end."""


def watch(events: "Callable[[Interrupts], Iterator[Event]]", progress: Progress, json: bool) -> None:
    """Show what happens and print the result.

    Raises:
        typer.Exit: With status 130 or 143, when it was stopped by a signal.
        CnntrainError: What the events raise.
    """
    from cnntrain.cli.training_view import open_view  # imported late: `cnntrain --help` needs none of it
    from cnntrain.training.events import Finished
    from cnntrain.training.interrupts import Interrupts

    stop = ""
    with open_view(progress) as view, Interrupts(tell=view.stopping) as interrupts:
        for event in events(interrupts):
            view.show(event)
            if isinstance(event, Finished):  # what follows are plots, and the error of a run that diverged
                stop = event.result["stop"]
                print_result(event.result, json)
    if stop == "interrupted":
        number = interrupts.signal or signal.SIGINT
        raise typer.Exit(128 + (signal.SIGTERM if number == SIGBREAK else number))


def print_result(result: dict[str, Any], json: bool) -> None:
    """Print how a run ended."""
    if json:
        print_json(result)
        return
    from cnntrain.cli.training_text import result_lines

    for line in result_lines(result):
        results().print(line, soft_wrap=True)
