"""Views of a sweep while it runs: a line a trial, with the time left."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cnntrain.cli.options import ProgressMode
from cnntrain.cli.views import sweep_text as text
from cnntrain.cli.views.progress_view import Bar, Lines, loading_bar
from cnntrain.cli.views.terminal import is_live, messages, print_note, print_warning
from cnntrain.cli.views.training_text import duration
from cnntrain.sweep.events import SweepEnded, SweepEvent, SweepStarted, TrialEnded, TrialProgress
from cnntrain.training.events import LoadingProgress, Note, WarningIssued

_STOPPING = "saving the running trials after their current batch; press Ctrl-C again to stop at once\n"


class SweepView:
    """Shows the events of a sweep, as a context.

    Args:
        console: Where lines go.
        live: Whether a bar moves below them.
        silent: Whether only notes and warnings are shown.
        clock: Seconds that only grow.
    """

    def __init__(self, console: Console, live: bool, silent: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._live, self._silent, self._clock = console, live, silent, clock
        self._started: SweepStarted | None = None
        self._began, self._ended = 0.0, 0
        self._running: dict[int, TrialProgress] = {}
        self._warned: set[str] = set()
        self._loading: Progress | None = None
        self._report = Lines(console).report
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        """Remove what moves on the screen."""
        for progress in (self._loading, self._progress):
            if progress is not None:
                progress.stop()

    def show(self, event: SweepEvent) -> None:
        """Show what happened."""
        match event:
            case Note():
                print_note(event.text, self._console)
            case WarningIssued():
                if event.text not in self._warned:
                    self._warned.add(event.text)
                    print_warning(event.text, self._console)
            case _ if self._silent:
                pass
            case LoadingProgress():
                self._show_loading(event)
            case SweepStarted():
                self._start(event)
            case TrialProgress():
                self._running[event.number] = event
                self._move()
            case TrialEnded():
                self._end(event)
            case SweepEnded():
                self._stop()

    def stopping(self) -> None:
        """Say at once that the wish to stop is heard; safe inside a signal handler."""
        if not self._silent:
            with suppress(OSError):
                os.write(2, (("\r" if self._live else "") + _STOPPING).encode())

    def _show_loading(self, event: LoadingProgress) -> None:
        if self._live and self._loading is None:
            self._loading = loading_bar(self._console)
            self._loading.start()
            self._report = Bar(self._loading).report
        self._report(event.done, event.total, event.what)

    def _start(self, event: SweepStarted) -> None:
        if self._loading is not None:
            self._loading.stop()
            self._loading = None
        self._started, self._began = event, self._clock()
        for line in text.header(event):
            self._console.print(line, soft_wrap=True)
        self._console.print(text.trial_titles(event), soft_wrap=True)
        if self._live:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20))
            self._progress = Progress(*columns, console=self._console, transient=True, redirect_stdout=False)
            self._progress.add_task("", total=event.trials, completed=event.done)
            self._progress.start()

    def _end(self, event: TrialEnded) -> None:
        assert self._started is not None
        self._running.pop(event.trial.number, None)
        self._ended += 1
        self._console.print(text.trial_line(event, self._started, self._left(event.done)), soft_wrap=True)
        self._move(event.done)

    def _left(self, done: int) -> float | None:
        """Return the seconds that are left, by the trials that ended so far."""
        assert self._started is not None
        return (self._clock() - self._began) / self._ended * max(0, self._started.trials - done)

    def _move(self, done: int | None = None) -> None:
        if self._progress is None or self._started is None:
            return
        task = self._progress.tasks[0]
        now = "   ".join(f"trial {n}: epoch {of.epoch}/{of.epochs}" for n, of in sorted(self._running.items())[:3])
        completed = task.completed if done is None else done
        elapsed = duration(self._clock() - self._began)
        self._progress.update(
            task.id,
            description=f"{completed:.0f}/{self._started.trials} trials   {elapsed}   {now}",
            completed=completed,
        )


def open_view(mode: ProgressMode) -> SweepView:
    """Return the view for ``--progress``."""
    live = is_live(mode)
    return SweepView(messages(live), live, mode is ProgressMode.NONE)
