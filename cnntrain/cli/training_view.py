"""How a training run is shown: live on a terminal, as lines elsewhere, or not at all."""

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

from cnntrain.cli import training_text as text
from cnntrain.cli.loading_view import Bar, Lines, bar
from cnntrain.cli.options import Progress as ProgressMode
from cnntrain.cli.tables import layers_table
from cnntrain.cli.terminal import is_live, messages, print_note, print_warning
from cnntrain.summary import describe
from cnntrain.training.events import (
    BatchEnded,
    Event,
    Finished,
    HealthChecked,
    IterationEnded,
    Loading,
    Noted,
    Started,
    Verified,
    Warned,
)

_REFRESH_SECONDS = 0.1
"""A step may take 0.2 ms and a picture 2 ms: ten pictures a second cost 2 %."""

_STOPPING = "stopping after this batch; press Ctrl-C again to stop at once\n"


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
        if isinstance(event, Noted | Warned):
            (print_note if isinstance(event, Noted) else print_warning)(event.text)

    def stopping(self) -> None:
        """Say nothing."""


class _ConsoleView(TrainingView):
    """What the two views that speak have in common: the header and the lines."""

    _started: Started
    """The run's first event."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _show_header(self, started: Started) -> None:
        self._started = started
        self._console.print(layers_table(describe(started.network), started.layers, started.network.in_shape))
        self._console.print()
        for line in text.header(started):
            self._console.print(line, soft_wrap=True)
        self._console.print()
        for line in text.titles(started):
            self._console.print(line, style="bold", soft_wrap=True)

    def _write_now(self, words: str) -> None:
        # Past Rich and Python's buffers, whose locks the interrupted instruction may hold.
        with suppress(OSError, ValueError):
            os.write(self._console.file.fileno(), words.encode())


@final
class PlainView(_ConsoleView):
    """Lines that stay, for a log or a pipe: no bar, no control codes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._lines = Lines(console)

    def show(self, event: Event) -> None:
        """Print the header, or the line of an iteration."""
        match event:
            case Loading():
                self._lines.tell(event.done, event.total, event.what)
            case Noted():
                print_note(event.text, self._console)
            case Started():
                self._show_header(event)
            case IterationEnded():
                print(text.iteration_line(event, self._started), file=self._console.file, flush=True)
            case HealthChecked():
                print("\n".join(text.health_lines(event)), file=self._console.file, flush=True)
            case Warned():
                print_warning(event.text, self._console)
            case Verified():
                self._console.print(text.verified_text(event.steps), soft_wrap=True)
            case Finished():
                self._console.print()

    def stopping(self) -> None:
        """Add a line."""
        self._write_now(_STOPPING)


@final
class RichView(_ConsoleView):
    """The lines, and below them a bar over the batches of the iteration.

    A line that comes less than a tenth of a second after the last picture waits for the next.

    Args:
        console: Where to draw.
        clock: Seconds that only grow; a test turns it by hand.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console)
        self._clock = clock
        # No refreshing thread: it would compete with the training for the interpreter.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=max(8, min(40, console.width - 72))),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._bar.add_task("", total=None, state="")
        self._loading = bar(console)
        self._loading_bar = Bar(self._loading)
        self._waiting: list[str] = []
        self._began = self._next_refresh = 0.0

    def show(self, event: Event) -> None:
        """Draw, at most ten times a second."""
        match event:
            case Loading():
                self._loading.start()
                self._loading_bar.tell(event.done, event.total, event.what)
                return
            case Noted():
                print_note(event.text, self._console)
                return
            case Started():
                self._loading.stop()
                self._start(event)
                return
            case BatchEnded():
                self._batch = event
            case IterationEnded():
                self._waiting.append(text.iteration_line(event, self._started))
            case HealthChecked():
                self._waiting += text.health_lines(event)
            case Warned():
                print_warning(event.text, self._console)
                return
            case Verified():
                self._console.print(text.verified_text(event.steps), soft_wrap=True)
                return
            case Finished():
                self.close()
                self._console.print()
                return
        now = self._clock()
        if now >= self._next_refresh:
            self._next_refresh = now + _REFRESH_SECONDS
            self._move_bar(now)
            self._draw()

    def _start(self, started: Started) -> None:
        self._show_header(started)
        self._began = self._clock()
        # Where one batch is all, the bar runs over the iterations: over that batch it would only flicker.
        total = started.Max if started.batches == 1 else started.batches
        first = min(started.iterations_before + 1, started.Max)
        self._bar.update(self._task, description=f"iteration {first}/{started.Max}", total=total)
        self._bar.start()

    def _move_bar(self, now: float) -> None:
        event, batches, Max = self._batch, self._started.batches, self._started.Max
        position = event.iteration - 1 + event.batch / batches
        done = position - self._started.iterations_before - self._started.batches_before / batches
        self._bar.update(
            self._task,
            description=f"iteration {event.iteration}/{Max}",
            completed=event.iteration if batches == 1 else event.batch,
            state=text.batch_text(
                event,
                seconds_left=event.seconds / event.batch * (batches - event.batch),
                run_seconds_left=(now - self._began) / done * (Max - position),
            ),
        )

    def _draw(self) -> None:
        if self._waiting:
            self._console.print(Text("\n".join(self._waiting)), soft_wrap=True)
            self._waiting.clear()
        self._bar.refresh()

    def stopping(self) -> None:
        """Add a line below the bar, which is drawn anew under it."""
        self._write_now(f"\n{_STOPPING}")

    def close(self) -> None:
        """Print the lines that wait, and wipe the bar."""
        if self._waiting:
            self._draw()
        self._loading.stop()
        self._bar.stop()


def open_view(mode: ProgressMode) -> TrainingView:
    """The view that ``--progress`` asks for, on stderr."""
    if mode is ProgressMode.NONE:
        return SilentView()
    live = is_live(mode)
    return (RichView if live else PlainView)(messages(live))
