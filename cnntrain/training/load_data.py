"""Loading the data of a run, with progress events: a download or many images take time."""

import threading
from collections.abc import Generator
from pathlib import Path
from queue import Empty, SimpleQueue

from cnntrain.builder import load_config_data
from cnntrain.config import Config
from cnntrain.data import Data, ProgressReporter
from cnntrain.data.pixels import Scale
from cnntrain.errors import WorkerError
from cnntrain.training.events import LoadingProgress, Note
from cnntrain.training.interrupts import Interrupts

POLL_SECONDS = 0.1
"""Seconds between two checks for a signal."""


class _Stopped(BaseException):
    """The data are no longer needed."""


def load_events(
    config: Config, run: Path | None = None, interrupts: Interrupts | None = None, scale: Scale | None = None
) -> Generator[LoadingProgress | Note, None, Data]:
    """Load the data of ``config``, as ``load_config_data`` does; yield progress events, and return the data.

    LoadingProgress runs in a thread, so that the caller gets events and can stop it.

    Raises:
        ConfigError, DataError: As ``load_config_data``.
        WorkerError: No thread can be started.
        KeyboardInterrupt: ``interrupts.signal`` was set; the signal is its argument.
    """
    queue: SimpleQueue[LoadingProgress | Note | Data | BaseException] = SimpleQueue()
    is_stopped = threading.Event()

    def put(event: LoadingProgress | Note) -> None:
        if is_stopped.is_set():
            raise _Stopped
        queue.put(event)

    def load() -> None:
        reporter = ProgressReporter(lambda *progress: put(LoadingProgress(*progress)), lambda text: put(Note(text)))
        try:
            queue.put(load_config_data(config, run, reporter, scale))
        except BaseException as error:  # raised again below
            queue.put(error)

    thread = threading.Thread(target=load, name="cnntrain-load", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise WorkerError(
            "the data cannot be loaded, because the system allows no new thread; raise the limit of processes "
            "(ulimit -u)"
        ) from error
    try:
        while True:
            if interrupts is not None and interrupts.signal is not None:
                raise KeyboardInterrupt(interrupts.signal)
            try:
                event = queue.get(timeout=POLL_SECONDS)
            except Empty:
                continue
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, Data):
                return event
            yield event
    finally:
        is_stopped.set()
        thread.join()
