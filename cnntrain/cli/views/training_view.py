"""Views of a training run: live on a terminal, as lines elsewhere, or silent."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from cnntrain.cli.options import ProgressMode as ProgressMode
from cnntrain.cli.views import training_text as text
from cnntrain.cli.views.progress_view import Bar, Lines, loading_bar
from cnntrain.cli.views.tables import layers_table
from cnntrain.cli.views.terminal import is_live, messages, print_note, print_warning
from cnntrain.network.summary import describe
from cnntrain.training.events import (
    BatchEnded,
    DiagnosticsComputed,
    EpochEnded,
    Event,
    LoadingProgress,
    Note,
    StepsVerified,
    TrainingEnded,
    TrainingStarted,
    WarningIssued,
)

_REFRESH_SECONDS = 0.1
"""A step may take 0.2 ms and an image 2 ms: ten images a second cost 2 %."""

SHORTEST_LEFT = 10.0
"""Seconds that are worth a line in a log."""

_STOPPING = "stopping after this batch; press Ctrl-C again to stop at once\n"


class TimeLeft:
    """An estimate until Max, by how fast this run has been since it began, was resumed or went back.

    Args:
        started: Where it began.
        now: The time, in seconds.
    """

    def __init__(self, started: TrainingStarted, now: float) -> None:
        self._Max, self._batches = started.Max, max(1, started.batches)
        self._first = self._last = started.epochs_before + started.batches_before / self._batches
        self._began = now

    def seconds(self, epoch: int, batch: int | None, now: float) -> float | None:
        """Return the seconds that are left after a batch, or after a whole epoch; None while unknown."""
        position = epoch - 1 + (1.0 if batch is None else batch / self._batches)
        if position < self._last:  # a rollback: how long the steps took that are lost says nothing
            self._first, self._began = position, now
        self._last = position
        done = position - self._first
        return (now - self._began) / done * max(0.0, self._Max - position) if done > 0 else None


class TrainingView(ABC):
    """Shows the events of a run; a context, so that what moves on the screen is cleared away at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show what happened."""

    @abstractmethod
    def stopping(self) -> None:
        """Say at once that the wish to stop is heard; safe inside a signal handler."""

    def close(self) -> None:
        """Leave the terminal as it was."""
        return


@final
class SilentView(TrainingView):
    """``--progress none``."""

    def show(self, event: Event) -> None:
        """Show nothing but notes and warnings."""
        if isinstance(event, Note | WarningIssued):
            (print_note if isinstance(event, Note) else print_warning)(event.text)

    def stopping(self) -> None:
        """Say nothing."""


class _ConsoleView(TrainingView):
    """What the two views that speak have in common: the header and the lines.

    Args:
        console: Where they go.
        clock: Seconds that only grow; a test turns it by hand.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._started: TrainingStarted | None = None
        self._left: TimeLeft | None = None

    def show(self, event: Event) -> None:
        """Print what stays; a line of an epoch only where there is a header above it."""
        match event:
            case Note():
                print_note(event.text, self._console)
            case WarningIssued():
                print_warning(event.text, self._console)
            case StepsVerified():
                self._console.print(text.verified_text(event.steps), soft_wrap=True)
            case TrainingStarted():
                self._show_header(event)
            case EpochEnded() if self._started is not None:
                self._print_lines([text.epoch_line(event, self._started)])
            case DiagnosticsComputed():
                self._print_lines(text.health_lines(event))
            case TrainingEnded():
                self._console.print()

    def _show_header(self, started: TrainingStarted) -> None:
        self._started, self._left = started, TimeLeft(started, self._clock())
        self._console.print(layers_table(describe(started.network), started.layers, started.network.in_shape))
        self._console.print()
        for line in text.header(started):
            self._console.print(line, soft_wrap=True)
        self._console.print()
        for line in text.titles(started):
            self._console.print(line, style="bold", soft_wrap=True)

    @abstractmethod
    def _print_lines(self, lines: list[str]) -> None:
        """Print lines of figures."""

    def _write_now(self, words: str) -> None:
        # Past Rich and Python's buffers, whose locks the interrupted instruction may hold.
        with suppress(OSError, ValueError):
            os.write(self._console.file.fileno(), words.encode())


@final
class PlainView(_ConsoleView):
    """Lines that stay, for a log or a pipe: no bar, no control codes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._lines = Lines(console)

    def show(self, event: Event) -> None:
        """Print the header, or the line of an epoch, and now and then how long the run still takes."""
        match event:
            case LoadingProgress():
                self._lines.report(event.done, event.total, event.what)
            case EpochEnded() if self._started is not None and self._left is not None:
                super().show(event)
                left = self._left.seconds(event.epoch, None, self._clock())
                if left is not None and left >= SHORTEST_LEFT and text.is_tenth(event.epoch, self._started):
                    self._print_lines([text.left_line(left)])
            case _:
                super().show(event)

    def _print_lines(self, lines: list[str]) -> None:
        print("\n".join(lines), file=self._console.file, flush=True)  # quicker than Rich

    def stopping(self) -> None:
        """Add a line."""
        self._write_now(_STOPPING)


@final
class RichView(_ConsoleView):
    """The lines, and below them a bar over the batches of the epoch.

    A line that comes less than a tenth of a second after the last image waits for the next.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._bar_width = max(8, min(40, console.width - 72))
        # No refreshing thread: it would compete with the training for the interpreter.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=self._bar_width),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._bar.add_task("", total=None, state="")
        self._loading = loading_bar(console)
        self._loading_bar = Bar(self._loading)
        self._batch: BatchEnded | None = None
        """The last one; none where a run is resumed until its first batch has ended."""
        self._waiting: list[str] = []
        self._next_refresh = 0.0

    def show(self, event: Event) -> None:
        """Draw, at most ten times a second."""
        match event:
            case LoadingProgress():
                if self._started is None:
                    self._loading.start()
                    self._loading_bar.report(event.done, event.total, event.what)
            case BatchEnded():
                self._batch = event
                self._refresh()
            case EpochEnded() | DiagnosticsComputed():
                super().show(event)
                self._refresh()
            case TrainingStarted():
                self.close()
                super().show(event)
                self._start(event)
            case TrainingEnded():
                self.close()
                super().show(event)
            case _:
                self._print_waiting()  # what is said now came later
                super().show(event)

    def _start(self, started: TrainingStarted) -> None:
        # Where one batch is all, the bar runs over the epochs: over that batch it would only flicker.
        total = started.Max if started.batches == 1 else started.batches
        first = min(started.epochs_before + 1, started.Max)
        self._batch = None
        self._bar.update(self._task, description=f"epoch {first}/{started.Max}", total=total, completed=0, state="")
        self._bar.start()

    def _refresh(self) -> None:
        now = self._clock()
        if now < self._next_refresh:
            return
        self._next_refresh = now + _REFRESH_SECONDS
        if self._batch is not None and self._started is not None and self._left is not None:
            self._move_bar(self._batch, self._started, self._left, now)
        self._print_waiting()
        if self._started is not None:
            self._bar.refresh()

    def _move_bar(self, event: BatchEnded, started: TrainingStarted, left: TimeLeft, now: float) -> None:
        description = f"epoch {event.epoch}/{started.Max}"
        self._bar.update(
            self._task,
            description=description,
            completed=event.epoch if started.batches == 1 else event.batch,
            state=text.batch_text(
                event,
                seconds_left=event.seconds / event.batch * (started.batches - event.batch),
                run_seconds_left=left.seconds(event.epoch, event.batch, now),
                width=self._console.width - len(description) - self._bar_width - 2,
            ),
        )

    def _print_lines(self, lines: list[str]) -> None:
        self._waiting += lines

    def _print_waiting(self) -> None:
        if self._waiting:
            self._console.print(Text("\n".join(self._waiting)), soft_wrap=True)
            self._waiting.clear()

    def stopping(self) -> None:
        """Add a line below the bar, which is drawn anew under it."""
        self._write_now(f"\n{_STOPPING}")

    def close(self) -> None:
        """Print the lines that wait, and wipe the bar."""
        self._print_waiting()
        self._loading.stop()
        self._bar.stop()


def open_view(mode: ProgressMode) -> TrainingView:
    """The view that ``--progress`` asks for, on stderr."""
    if mode is ProgressMode.NONE:
        return SilentView()
    live = is_live(mode)
    return (RichView if live else PlainView)(messages(live))
