"""Training as functions that return when it is over; tqdm shows the batches."""

import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from itertools import chain
from pathlib import Path
from typing import Any

from cnntrain.config import Config
from cnntrain.streams import tolerant_stream
from cnntrain.training.events import BatchEnded, Event, Finished, Loading, Note, Started, Warned
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run


def train(config: Config, out: str | Path | None = None, plots: bool = True) -> dict[str, Any]:
    """Train as ``cnntrain train`` does and return what its ``--json`` prints.

    Args:
        config: With data.
        out: The run folder; by default ``runs/<name of the config>``.
        plots: Draw plots into the run folder at the end.

    Raises:
        CnntrainError: See ``fit``.
    """
    return with_progress_bar(lambda interrupts: fit(config, out, interrupts, plots=plots))


def resume(run: str | Path, overrides: Sequence[str] = (), verify: bool = False, plots: bool = True) -> dict[str, Any]:
    """Go on with a run as ``cnntrain resume`` does and return what its ``--json`` prints.

    Args:
        run: The run folder.
        overrides: ``KEY=VALUE`` words such as ``training.Max=30``.
        verify: First repeat the steps between the last two checkpoints, and compare.
        plots: Draw plots into the run folder at the end.

    Raises:
        CnntrainError: See ``resume_run``.
    """
    return with_progress_bar(lambda interrupts: resume_run(run, overrides, interrupts, verify, plots=plots))


def with_progress_bar(events: Callable[[Interrupts], Iterator[Event]]) -> dict[str, Any]:
    """Show what happens, and return how it ended. Notes and warnings are ``UserWarning``.

    A signal is answered twice: the run stops and is saved, and then the signal does what it would have done without
    that, in whichever way the caller wants: by default Ctrl-C raises KeyboardInterrupt, and SIGTERM ends the program.
    """
    interrupts = Interrupts()
    try:
        with redirect_stderr(tolerant_stream(sys.stderr)), interrupts:
            return _shown(events(interrupts))
    except KeyboardInterrupt as stop:
        interrupts.signal = stop.args[0] if stop.args else signal.SIGINT
        raise
    finally:
        if interrupts.signal is not None:
            signal.raise_signal(interrupts.signal)
            if interrupts.signal == signal.SIGINT and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                raise KeyboardInterrupt  # in a shell's background Ctrl-C is ignored, but this one was meant


def _shown(coming: Iterator[Event]) -> dict[str, Any]:
    """Show events as a bar over the batches; return what the last one says."""
    from tqdm.auto import tqdm

    batches, result = 0, dict[str, Any]()
    first = next(coming)  # a run that cannot begin needs no bar
    with tqdm(unit="batch", disable=sys.stderr is None) as bar:
        for event in chain([first], coming):
            match event:
                case Loading():
                    of = f"/{event.total:,}" if event.total else ""
                    bar.set_description(f"{event.what} {event.done:,}{of}")
                case Note() | Warned():
                    warnings.warn(event.text, stacklevel=4)
                case Started():
                    batches, bar.total = event.batches, event.batches * event.Max
                    bar.set_description("")
                    bar.update(batches * event.epochs_before + event.batches_before)
                case BatchEnded():
                    bar.set_postfix(epoch=event.epoch, loss=f"{event.loss:.4f}", refresh=False)
                    bar.update(batches * (event.epoch - 1) + event.batch - bar.n)  # a rollback goes back
                case Finished():
                    result = event.result
    return result
