"""Predictions on stdout, images that fail on stderr, and how far it is where nothing else shows it."""

import codecs
import io
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.progress import Progress, SpinnerColumn, TextColumn

from cnntrain.cli.options import ProgressMode as ProgressMode
from cnntrain.cli.views import prediction_text as text
from cnntrain.cli.views.terminal import is_live, messages, print_error, print_note, wants_json
from cnntrain.errors import ImageError
from cnntrain.evaluation.display_names import visible
from cnntrain.streams import readable
from cnntrain.training.interrupts import Interrupts

if TYPE_CHECKING:
    from rich.console import Console

    from cnntrain.inference.predictor import Predictor

_REFRESH_SECONDS = 0.1
AS_BYTES = "cnntrain.as_bytes"
"""How ``--csv`` encodes names: so that they can be opened, whatever bytes they are."""
_LONGEST = 1000
"""Characters of an error that are shown; its name may be from a list, and no name at all."""


class PredictionView:
    """Shows what a prediction gives, as it comes."""

    def __init__(
        self, form: text.Form, console: "Console", bar: Progress | None, clock: Callable[[], float] = time.monotonic
    ):
        self.form, self.failures, self.files = form, 0, 0
        self._console, self._bar = console, bar
        self._task = bar.add_task("") if bar else None
        self._clock = clock
        self._began = self._next_refresh = clock()

    def write(self, words: str) -> None:
        """Print at once, and whole: a Ctrl-C waits until it is done."""
        with Interrupts() as interrupts:
            sys.stdout.write(words)
            sys.stdout.flush()
        if interrupts.signal is not None:
            raise KeyboardInterrupt(interrupts.signal)

    def show(self, entries: Sequence[dict[str, Any]]) -> None:
        """Print a batch of predictions."""
        self.write(self.form.lines(entries))
        self.files += len(entries)
        now = self._clock()
        if self._bar is not None and self._task is not None and now >= self._next_refresh:
            self._next_refresh = now + _REFRESH_SECONDS
            speed = self.files / (now - self._began)
            self._bar.update(self._task, description=f"{self.files:,} files, {speed:,.0f} files/s", refresh=True)

    def failed(self, error: ImageError) -> None:
        """Tell of an image that cannot be read."""
        self.failures += 1
        text = visible(str(error))
        print_error(text if len(text) <= _LONGEST else f"{text[:200]}...{text[-200:]}", self._console)

    def note(self, text: str) -> None:
        """Tell what is left out of a folder."""
        print_note(visible(text), self._console)


def goes_to_a_file(stream: TextIO) -> bool:
    """Whether lines go where nobody sees them: through a pipe they may come to the terminal that a bar would be on."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return not stream.isatty() and not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode)


def as_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write a byte of a file's name that is not UTF-8 as that byte."""
    if isinstance(error, UnicodeEncodeError) and 0xDC80 <= ord(error.object[error.start]) <= 0xDCFF:
        return bytes([ord(error.object[error.start]) - 0xDC00]), error.start + 1
    if isinstance(error, UnicodeEncodeError):
        error.end = error.start + 1
    return readable(error)


codecs.register_error(AS_BYTES, as_bytes)


@contextmanager
def open_view(
    model: "Predictor", top: int, form: Literal["text", "json", "csv"], samples: bool = False
) -> Iterator[PredictionView]:
    """Begin with what comes first; end, also where the work is stopped, so that JSON is always whole."""
    measure = "probability" if model.gives_probabilities else "value"
    match form:
        case "json":
            words: text.Form = text.Json()
            wants_json.set(False)  # its object begins here
        case "csv":
            words = text.Csv(model.classes, measure, top, samples)
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors=AS_BYTES)
        case _:
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            words = text.Text(model.classes, measure, top, width)
    live = is_live(ProgressMode.AUTO) and goes_to_a_file(sys.stdout)
    console = messages(live)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False)
    view = PredictionView(words, console, bar if live else None)
    with bar if live else nullcontext():
        view.write(words.begin())
        try:
            yield view
        finally:
            view.write(words.end(view.failures))
