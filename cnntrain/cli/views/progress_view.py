"""How far a command is: a bar on a terminal, lines elsewhere, or nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from cnntrain.cli.options import ProgressMode as ProgressMode
from cnntrain.cli.views.terminal import is_live, messages, print_note
from cnntrain.data.progress import ProgressReporter

REFRESH_SECONDS = 0.1
"""Minimum time between two frames of a bar."""
LINE_SECONDS = 10.0
"""Minimum time between two lines about the same work."""
GradcheckProgress = Callable[[str, int, int], None]
"""Takes the name of a tensor, how many of its derivatives are checked, and how many will be."""


@contextmanager
def open_reporter(mode: ProgressMode = ProgressMode.AUTO) -> Iterator[ProgressReporter]:
    """Show on stderr the progress and notes of whoever loads data; notes appear in every mode."""
    console = messages(live=is_live(mode))

    def note(text: str) -> None:
        print_note(text, console)

    if mode is ProgressMode.NONE:
        yield ProgressReporter(note=note)
    elif is_live(mode):
        with loading_bar(console) as progress:
            yield ProgressReporter(Bar(progress).report, note)
    else:
        yield ProgressReporter(Lines(console).report, note)


def loading_bar(console: Console) -> Progress:
    """Return a context that shows bars; it has none yet."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class Bar:
    """A bar that appears with the first report."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def report(self, done: int, total: int, what: str) -> None:
        """Move the bar; a total of 0 is unknown."""
        size = total or None
        if self._task is None:
            self._task = self._progress.add_task(what, total=size)
        self._progress.update(self._task, description=what, total=size, completed=done)


class Lines:
    """A line when other work begins, and every ten seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._what, self._last = "", 0.0

    def report(self, done: int, total: int, what: str) -> None:
        """Print a line if one is due; a total of 0 is unknown."""
        now = self._clock()
        if what == self._what and now - self._last < LINE_SECONDS:
            return
        share = f" ({done / total:.0%})" if what == self._what and total else ""
        self._console.print(f"{what}{share}", soft_wrap=True)
        self._what, self._last = what, now


@contextmanager
def open_gradcheck_progress(mode: ProgressMode) -> Iterator[GradcheckProgress]:
    """Show on stderr how far a gradient check is: a bar, or a line for each tensor."""
    live = is_live(mode)
    if live:
        with gradcheck_bar(messages(live)) as show:
            yield show
    else:
        yield (lambda *_: None) if mode is ProgressMode.NONE else gradcheck_lines(messages())


@contextmanager
def gradcheck_bar(console: Console, clock: Callable[[], float] = time.monotonic) -> Iterator[GradcheckProgress]:
    """Show a bar over the derivatives of one tensor, drawn at most ten times a second and erased at the end."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False)
    task = progress.add_task("")
    next_refresh = clock()

    def show(name: str, done: int, total: int) -> None:
        nonlocal next_refresh
        now = clock()
        if now >= next_refresh:
            next_refresh = now + REFRESH_SECONDS
            progress.update(task, description=name, completed=done, total=total, refresh=True)

    with progress:
        yield show


def gradcheck_lines(console: Console) -> GradcheckProgress:
    """Return a callback that prints a line for each tensor that is done."""

    def show(name: str, done: int, total: int) -> None:
        if done == total:
            console.print(f"checked {total:,} derivatives of {name}", soft_wrap=True)

    return show
