"""Progress of a run in Python: a tqdm bar, a line an epoch, or nothing.

In a notebook, the bar is one output that is replaced as it moves: a widget with ipywidgets, otherwise text. At the end
it is replaced once more, because a saved notebook shows an output as it was when it was sent, and not what a widget
became.
"""

import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal, get_args

from cnntrain.errors import UsageError
from cnntrain.training.events import BatchEnded, EpochEnded, Event, LoadingProgress, TrainingEnded, TrainingStarted

ProgressMode = Literal["bar", "lines", "none"]
"""How ``train`` and ``resume`` show progress."""
COMPLETE = ("max", "epsilon", "patience")
"""Why a complete run ended."""
TEXT_COLUMNS = 100
"""Width of a bar that is text in a notebook."""


class Progress(ABC):
    """Shows the events of a run."""

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show an event."""

    def close(self) -> None:
        """Leave what is shown as it is now."""
        return


def open_progress(mode: ProgressMode) -> Progress:
    """Return the progress of a mode.

    Raises:
        UsageError: There is no such mode.
    """
    if mode not in get_args(ProgressMode):
        raise UsageError(f"progress: expected {', '.join(get_args(ProgressMode))}, got {mode!r}")
    kinds: dict[str, Callable[[], Progress]] = {"bar": ProgressBar, "lines": EpochLines, "none": NoProgress}
    return kinds[mode]()


class NoProgress(Progress):
    """``progress="none"``."""

    def show(self, event: Event) -> None:
        """Show nothing."""


class EpochLines(Progress):
    """``progress="lines"``: a line an epoch on stdout."""

    def __init__(self) -> None:
        self._Max = 0

    def show(self, event: Event) -> None:
        """Print the figures of an epoch."""
        if isinstance(event, TrainingStarted):
            self._Max = event.Max
        elif isinstance(event, EpochEnded):
            print(epoch_line(event, self._Max), flush=True)


def epoch_line(event: EpochEnded, Max: int) -> str:
    """Return ``epoch  3/10: train loss 0.2371, accuracy 92.9 %; validation loss 0.2204, accuracy 93.1 %; 0.4 s``."""
    parts = [f"train loss {event.train_loss:.4f}, accuracy {event.train_accuracy:.1%}".replace("%", " %")]
    if event.validation_loss is not None and event.validation_accuracy is not None:
        text = f"validation loss {event.validation_loss:.4f}, accuracy {event.validation_accuracy:.1%}"
        parts.append(text.replace("%", " %"))
    return f"epoch {event.epoch:>{len(str(Max))}}/{Max}: {'; '.join(parts)}; {event.seconds:.1f} s"


class ProgressBar(Progress):
    """``progress="bar"``: a bar over the batches of all epochs; text while data are loaded."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._output = NotebookOutput() if in_notebook() else None
        self._batches = 0

    def show(self, event: Event) -> None:
        """Move the bar."""
        match event:
            case LoadingProgress():
                of = f"/{event.total:,}" if event.total else ""
                if self._bar is None:
                    self._open(bar_format="{desc}", leave=False)
                self._bar.set_description_str(f"{event.what} {event.done:,}{of}")
            case TrainingStarted():
                self._batches = event.batches
                done = event.batches * event.epochs_before + event.batches_before
                self._open(total=event.batches * event.Max, initial=done, unit="batch")
            case BatchEnded() if self._bar is not None:
                self._bar.set_postfix(epoch=event.epoch, loss=f"{event.loss:.4f}", refresh=False)
                done = self._batches * (event.epoch - 1) + event.batch
                self._bar.update(done - self._bar.n)  # negative after a rollback
            case TrainingEnded() if self._bar is not None and event.result.get("stop") in COMPLETE:
                self._end_here()

    def _open(self, **options: Any) -> None:
        """Open a bar in place of the one before."""
        if self._bar is not None:
            self._bar.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the hint to install ipywidgets
            from tqdm.auto import tqdm
        if self._output is None:
            self._bar = tqdm(disable=sys.stderr is None, **options)
        elif hasattr(tqdm, "status_printer") and issubclass(tqdm, _widget_class()):
            self._bar = tqdm(display=False, **options)
            self._output.show(self._bar.container)
        else:
            self._bar = tqdm(file=self._output, ncols=TEXT_COLUMNS, **options)

    def _end_here(self) -> None:
        """Make what is done the total: a run may end before Max."""
        self._bar.total = self._bar.n
        container = getattr(self._bar, "container", None)
        if container is not None:
            container.children[1].max = self._bar.n

    def close(self) -> None:
        """Show the bar as it is now, in a saved notebook, too."""
        if self._bar is None:
            return
        self._bar.close()
        if self._output is not None and not self._bar.leave:
            self._output.show("")
        elif hasattr(self._bar, "container"):
            assert self._output is not None
            self._output.show(self._bar.container)
        self._bar = None


class NotebookOutput:
    """An output of a notebook's cell that is replaced again and again; a file for tqdm."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, content: Any) -> None:
        """Display a widget or a text in place of what was there."""
        display: Any = import_module("IPython.display").display
        is_text = isinstance(content, str)
        shown = {"text/plain": content} if is_text else content
        if self._handle is None:
            self._handle = display(shown, raw=is_text, display_id=True)
        else:
            self._handle.update(shown, raw=is_text)

    def write(self, text: str) -> None:
        """Display the last line that tqdm writes."""
        line = text.rpartition("\r")[2].strip()
        if line:
            self.show(line)

    def flush(self) -> None:
        """Do nothing."""


def in_notebook() -> bool:
    """Return whether this is a cell of a notebook."""
    shell = getattr(sys.modules.get("ipykernel.zmqshell"), "ZMQInteractiveShell", None)
    ipython = sys.modules.get("IPython")
    return shell is not None and ipython is not None and isinstance(ipython.get_ipython(), shell)


def _widget_class() -> type[Any]:
    """Return tqdm's bar as a widget."""
    from tqdm.notebook import tqdm_notebook

    return tqdm_notebook
