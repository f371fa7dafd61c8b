"""The Python functions ``cnntrain.train`` and ``cnntrain.resume``, with their progress."""

import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from os import PathLike
from pathlib import Path

from cnntrain.config import ConfigLike, as_config
from cnntrain.streams import tolerant_stream
from cnntrain.training.callbacks import Callback, call_back, check_callbacks
from cnntrain.training.events import Event, Note, TrainingEnded, TrainingStarted, WarningIssued
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.progress import Progress, ProgressMode, open_progress
from cnntrain.training.resume import resume_run
from cnntrain.training.run import Run


def train(
    config: ConfigLike,
    out: str | PathLike[str] | None = None,
    plots: bool = True,
    callbacks: Sequence[Callback] = (),
    progress: ProgressMode = "bar",
) -> Run:
    """Train a network as ``cnntrain train`` does.

    Warnings and notes are issued as ``UserWarning``. Ctrl-C, or the interrupt of a notebook, stops the run after the
    current batch, saves it, and raises KeyboardInterrupt; ``cnntrain.resume`` continues it.

    Args:
        config: A config with data, its path, the name of a bundled config, or a dict as ``load_config`` takes it.
        out: Run folder; by default ``runs/<name of the config>``.
        plots: Whether to draw plots into the run folder at the end.
        callbacks: Functions, each called with every event of the run, see ``cnntrain.training.events``. They see the
            network in training and must not change it. If one raises an exception, no callback is called any more; the
            run stops after the current batch, is saved and can be resumed; then the exception is raised.
        progress: ``bar`` for a progress bar, which is a widget in a notebook; ``lines`` for a line an epoch on stdout;
            or ``none``.

    Returns:
        A dict of what ``cnntrain train --json`` prints: ``run``, ``stop``, ``epochs``, ``seconds``, ``best``, and loss
        and accuracy in ``train``, ``validation`` and ``test``. It also has ``history``, ``plot()`` and ``network``.

    Raises:
        ConfigError: The config does not fit the data.
        DataError: The data are missing or malformed.
        UsageError: ``out`` is not empty.
        DivergedError: A loss or a parameter became infinite or NaN; the run folder is complete.
        OutOfMemoryError: There is not enough memory.
        WorkerError: A worker process failed.
        StorageError: The run could not be saved.

    Examples:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=1", "training.workers=1"])
        >>> run = cnntrain.train(config, out="runs/short", plots=False)
        >>> run["epochs"], run["stop"]
        (1, 'max')
    """
    config, folder = as_config(config), None if out is None else Path(out)
    return show_run(lambda interrupts: fit(config, folder, interrupts, plots=plots), callbacks, progress)


def resume(
    run: str | PathLike[str],
    overrides: Sequence[str] = (),
    verify: bool = False,
    plots: bool = True,
    callbacks: Sequence[Callback] = (),
    progress: ProgressMode = "bar",
) -> Run:
    """Resume a run from its last checkpoint, as ``cnntrain resume`` does.

    The result is bit-identical to that of an uninterrupted run.

    Args:
        run: Run folder, or what ``train`` returned.
        overrides: ``KEY=VALUE`` strings; ``training.Max=30`` extends a run.
        verify: Whether to first repeat the steps between the last two checkpoints, and compare the bits.
        plots: Whether to draw plots into the run folder at the end.
        callbacks: See ``cnntrain.train``.
        progress: See ``cnntrain.train``.

    Returns:
        What ``cnntrain resume --json`` prints, with more; see ``cnntrain.train``.

    Raises:
        UsageError: There is no run, or another process uses its folder.
        WeightsError: No checkpoint is intact.
        ConfigError: An override changes a key that must not change.
        DataError: The data are missing, or not those that the run started with.
        ReplayError: ``verify`` found different bits.
        CnntrainError: See ``cnntrain.train``.

    Examples:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=1", "training.workers=1"])
        >>> result = cnntrain.train(config, out="runs/long", plots=False)
        >>> cnntrain.resume("runs/long", ["training.Max=2"], plots=False)["epochs"]
        2
    """
    folder = Path(run)
    return show_run(
        lambda interrupts: resume_run(folder, overrides, interrupts, verify, plots=plots), callbacks, progress
    )


def show_run(
    run: Callable[[Interrupts], Iterator[Event]],
    callbacks: Sequence[Callback] = (),
    mode: ProgressMode = "bar",
) -> Run:
    """Show the progress of a run, and return its result. Notes and warnings are issued as ``UserWarning``.

    After a signal the run stops and is saved; then the signal is raised again for the caller's handlers. By default
    Ctrl-C, and the interrupt of a notebook, raise KeyboardInterrupt, and SIGTERM ends the program.
    """
    check_callbacks(callbacks)
    progress, interrupts, folders = open_progress(mode), Interrupts(), list[Path]()
    try:
        with redirect_stderr(tolerant_stream(sys.stderr)), interrupts:
            return _show(call_back(run(interrupts), callbacks, interrupts), progress, folders)
    except KeyboardInterrupt as stop:
        if not stop.args or isinstance(stop.args[0], int):  # otherwise it is a callback's own
            interrupts.signal = stop.args[0] if stop.args else signal.SIGINT
        raise
    finally:
        if interrupts.signal is not None:
            next_step = [f"cnntrain.resume({str(folder)!r}) continues the run" for folder in folders]
            try:
                signal.raise_signal(interrupts.signal)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(*next_step) from None
            if interrupts.signal == signal.SIGINT and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                raise KeyboardInterrupt(*next_step)  # a background job ignores Ctrl-C, but this one was caught


def _show(events: Iterator[Event], progress: Progress, folders: list[Path]) -> Run:
    """Show the progress of a run, add its folder to ``folders`` once it exists, and return the result."""
    run = Run()
    try:
        for event in events:
            if isinstance(event, Note | WarningIssued):
                warnings.warn(event.text, stacklevel=4)
            elif isinstance(event, TrainingStarted):
                folders.append(event.run)
            elif isinstance(event, TrainingEnded):
                run = Run(event.result)
            progress.show(event)
    finally:
        progress.close()
    return run
