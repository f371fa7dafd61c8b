"""The Python functions ``cnntrain.train`` and ``cnntrain.resume``, with a tqdm progress bar."""

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
from cnntrain.training.callbacks import Callback, call_back, check_callbacks
from cnntrain.training.events import (
    BatchEnded,
    Event,
    LoadingProgress,
    Note,
    TrainingEnded,
    TrainingStarted,
    WarningIssued,
)
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run


def train(
    config: Config, out: str | Path | None = None, plots: bool = True, callbacks: Sequence[Callback] = ()
) -> dict[str, Any]:
    """Train a network as ``cnntrain train`` does.

    Warnings and notes are issued as ``UserWarning``.

    Args:
        config: Config with data, from ``cnntrain.load_config``.
        out: Run folder; by default ``runs/<name of the config>``.
        plots: Whether to draw plots into the run folder at the end.
        callbacks: Functions, each called with every event of the run, see ``cnntrain.training.events``. They see the
            network in training and must not change it. If one raises an exception, no callback is called any more; the
            run stops after the current batch, is saved and can be resumed; then the exception is raised.

    Returns:
        What ``cnntrain train --json`` prints: ``run``, ``stop``, ``epochs``, ``seconds``, ``best``, and loss and
        accuracy in ``train``, ``validation`` and ``test``.

    Raises:
        ConfigError: The config does not fit the data.
        DataError: The data are missing or malformed.
        UsageError: ``out`` is not empty.
        DivergedError: A loss or a parameter became infinite or NaN; the run folder is complete.
        OutOfMemoryError: There is not enough memory.
        WorkerError: A worker process failed.
        StorageError: The run could not be saved.

    Example:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=1", "training.workers=1"])
        >>> result = cnntrain.train(config, out="runs/short", plots=False)
        >>> result["epochs"], result["stop"]
        (1, 'max')
    """
    return with_progress_bar(lambda interrupts: fit(config, out, interrupts, plots=plots), callbacks)


def resume(
    run: str | Path,
    overrides: Sequence[str] = (),
    verify: bool = False,
    plots: bool = True,
    callbacks: Sequence[Callback] = (),
) -> dict[str, Any]:
    """Resume a run from its last checkpoint, as ``cnntrain resume`` does.

    The result is bit-identical to that of an uninterrupted run.

    Args:
        run: Run folder.
        overrides: ``KEY=VALUE`` strings; ``training.Max=30`` extends a run.
        verify: Whether to first repeat the steps between the last two checkpoints, and compare the bits.
        plots: Whether to draw plots into the run folder at the end.
        callbacks: See ``cnntrain.train``.

    Returns:
        What ``cnntrain resume --json`` prints, see ``cnntrain.train``.

    Raises:
        UsageError: There is no run, or another process uses its folder.
        WeightsError: No checkpoint is intact.
        ConfigError: An override changes a key that must not change.
        DataError: The data are missing, or not those that the run started with.
        ReplayError: ``verify`` found different bits.
        CnntrainError: See ``cnntrain.train``.

    Example:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=1", "training.workers=1"])
        >>> result = cnntrain.train(config, out="runs/long", plots=False)
        >>> cnntrain.resume("runs/long", ["training.Max=2"], plots=False)["epochs"]
        2
    """
    return with_progress_bar(lambda interrupts: resume_run(run, overrides, interrupts, verify, plots=plots), callbacks)


def with_progress_bar(
    run: Callable[[Interrupts], Iterator[Event]], callbacks: Sequence[Callback] = ()
) -> dict[str, Any]:
    """Show a progress bar for a run's events, and return its result. Notes and warnings are issued as ``UserWarning``.

    After a signal the run stops and is saved; then the signal is raised again for the caller's handlers. By default
    Ctrl-C raises KeyboardInterrupt, and SIGTERM ends the program.
    """
    check_callbacks(callbacks)
    interrupts = Interrupts()
    try:
        with redirect_stderr(tolerant_stream(sys.stderr)), interrupts:
            return _show(call_back(run(interrupts), callbacks, interrupts))
    except KeyboardInterrupt as stop:
        if not stop.args or isinstance(stop.args[0], int):  # otherwise it is a callback's own
            interrupts.signal = stop.args[0] if stop.args else signal.SIGINT
        raise
    finally:
        if interrupts.signal is not None:
            signal.raise_signal(interrupts.signal)
            if interrupts.signal == signal.SIGINT and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                raise KeyboardInterrupt  # a background job ignores Ctrl-C, but this one was caught


def _show(events: Iterator[Event]) -> dict[str, Any]:
    """Show a progress bar over the batches; return the result in the last event."""
    from tqdm.auto import tqdm

    batches, result = 0, dict[str, Any]()
    first = next(events)  # a run that fails to start needs no bar
    with tqdm(unit="batch", disable=sys.stderr is None) as bar:
        for event in chain([first], events):
            match event:
                case LoadingProgress():
                    of = f"/{event.total:,}" if event.total else ""
                    bar.set_description(f"{event.what} {event.done:,}{of}")
                case Note() | WarningIssued():
                    warnings.warn(event.text, stacklevel=4)
                case TrainingStarted():
                    batches, bar.total = event.batches, event.batches * event.Max
                    bar.set_description("")
                    bar.update(batches * event.epochs_before + event.batches_before)
                case BatchEnded():
                    bar.set_postfix(epoch=event.epoch, loss=f"{event.loss:.4f}", refresh=False)
                    bar.update(batches * (event.epoch - 1) + event.batch - bar.n)  # negative after a rollback
                case TrainingEnded():
                    result = event.result
    return result
