"""Loading the data of a run, told as events: a download or thousands of images take their time."""

import threading
from collections.abc import Generator
from pathlib import Path
from queue import Empty, SimpleQueue

from cnntrain.builder import load_config_data
from cnntrain.config import Config
from cnntrain.data import Data, ProgressReporter
from cnntrain.data.pixels import Scale
from cnntrain.errors import WorkerError
from cnntrain.training.events import Loading, Note
from cnntrain.training.interrupts import Interrupts

LISTEN_SECONDS = 0.1
"""Between two looks at whether the run is to be stopped."""


class _Stopped(BaseException):
    """Nobody waits for the data any more."""


def load_events(
    config: Config, run: Path | None = None, interrupts: Interrupts | None = None, scale: Scale | None = None
) -> Generator[Loading | Note, None, Data]:
    """Load the data of ``config``, as ``load_config_data`` does; yield how far it is, and return the data.

    A thread of its own loads, so that this one can be told meanwhile, and can stop.

    Raises:
        ConfigError, DataError: As ``load_config_data``.
        WorkerError: No thread can be started.
        KeyboardInterrupt: ``interrupts.signal`` was set; the signal is its argument.
    """
    told: SimpleQueue[Loading | Note | Data | BaseException] = SimpleQueue()
    stopped = threading.Event()

    def tell(event: Loading | Note) -> None:
        if stopped.is_set():
            raise _Stopped
        told.put(event)

    def load() -> None:
        reporter = ProgressReporter(lambda *how_far: tell(Loading(*how_far)), lambda text: tell(Note(text)))
        try:
            told.put(load_config_data(config, run, reporter, scale))
        except BaseException as error:  # raised again below
            told.put(error)

    thread = threading.Thread(target=load, name="cnntrain-load", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise WorkerError(
            "the data cannot be loaded: the system lets this process start no thread; raise the limit of processes "
            "(ulimit -u)"
        ) from error
    try:
        while True:
            if interrupts is not None and interrupts.signal is not None:
                raise KeyboardInterrupt(interrupts.signal)
            try:
                event = told.get(timeout=LISTEN_SECONDS)
            except Empty:
                continue
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, Data):
                return event
            yield event
    finally:
        stopped.set()
        thread.join()
