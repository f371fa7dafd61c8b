"""How far a gradient check is: a bar on a terminal, a line for each tensor elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cnntrain.cli.options import ProgressMode as ProgressMode
from cnntrain.cli.views.terminal import is_live, messages

_REFRESH_SECONDS = 0.1

Show = Callable[[str, int, int], None]
"""Called with a tensor's name, how many of its derivatives are checked, and how many will be."""


@contextmanager
def open_view(mode: ProgressMode) -> Iterator[Show]:
    """What ``--progress`` asks for, on stderr."""
    live = is_live(mode)
    if live:
        with bar(messages(live)) as show:
            yield show
    else:
        yield show_nothing if mode is ProgressMode.NONE else lines(messages())


@contextmanager
def bar(console: Console, clock: Callable[[], float] = time.monotonic) -> Iterator[Show]:
    """A bar over the derivatives of one tensor, drawn at most ten times a second and wiped at the end."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False)
    task = progress.add_task("")
    next_refresh = clock()

    def show(name: str, done: int, total: int) -> None:
        nonlocal next_refresh
        now = clock()
        if now >= next_refresh:
            next_refresh = now + _REFRESH_SECONDS
            progress.update(task, description=name, completed=done, total=total, refresh=True)

    with progress:
        yield show


def lines(console: Console) -> Show:
    """A line for each tensor that is done."""

    def show(name: str, done: int, total: int) -> None:
        if done == total:
            console.print(f"checked {total:,} derivatives of {name}", soft_wrap=True)

    return show


def show_nothing(name: str, done: int, total: int) -> None:
    """``--progress none``."""
