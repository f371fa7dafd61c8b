"""How the loading of data is shown: a bar on a terminal, lines elsewhere, or nothing.

Nothing appears where all is there at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cnntrain.cli.options import ProgressMode as ProgressMode
from cnntrain.cli.views.terminal import is_live, messages, print_note
from cnntrain.data.progress import ProgressReporter

Tell = Callable[[int, int, str], None]
"""Takes what is done, the total (0: unknown) and what is being done."""
LINE_SECONDS = 10.0
"""Between two lines about the same work."""


@contextmanager
def open_view(mode: ProgressMode) -> Iterator[Tell]:
    """What ``--progress`` asks for, on stderr."""
    if mode is ProgressMode.NONE:
        yield lambda _done, _total, _what: None
    elif is_live(mode):
        with bar(messages(live=True)) as progress:
            yield Bar(progress).tell
    else:
        yield Lines(messages()).tell


@contextmanager
def open_reporter(mode: ProgressMode = ProgressMode.AUTO) -> Iterator[ProgressReporter]:
    """What ``--progress`` asks for, on stderr, with the notes of whoever loads data."""
    if mode is ProgressMode.NONE:
        console = messages()
        yield ProgressReporter(note=lambda text: print_note(text, console))
    elif is_live(mode):
        console = messages(live=True)
        with bar(console) as progress:
            yield ProgressReporter(Bar(progress).tell, lambda text: print_note(text, console))
    else:
        console = messages()
        yield ProgressReporter(Lines(console).tell, lambda text: print_note(text, console))


def bar(console: Console) -> Progress:
    """A bar that is not there yet: a context."""
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
    """One bar, that is there once there is something to tell."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def tell(self, done: int, total: int, what: str) -> None:
        """Move the bar."""
        size = total or None
        if self._task is None:
            self._task = self._progress.add_task(what, total=size)
        self._progress.update(self._task, description=what, total=size, completed=done)


class Lines:
    """A line when something else begins, and every ten seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._what, self._last = "", 0.0

    def tell(self, done: int, total: int, what: str) -> None:
        """Print a line, if it is time for one."""
        now = self._clock()
        if what == self._what and now - self._last < LINE_SECONDS:
            return
        share = f" ({done / total:.0%})" if what == self._what and total else ""
        self._console.print(f"{what}{share}", soft_wrap=True)
        self._what, self._last = what, now
