"""Callbacks: functions of the user that are called with each event of a run."""

from collections.abc import Callable, Generator, Iterator, Sequence

from cnntrain.errors import CnntrainError, UsageError
from cnntrain.training.events import Event, TrainingEnded, TrainingStarted
from cnntrain.training.interrupts import Interrupts

Callback = Callable[[Event], object]
"""Called with each event of a run, see ``cnntrain.training.events``; what it returns is ignored."""


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raise UsageError unless ``callbacks`` is a sequence of functions."""
    if callable(callbacks):
        raise UsageError(f"callbacks: expected a list of functions, got one: {callbacks!r}; write callbacks=[...]")
    for callback in callbacks:
        if not callable(callback):
            raise UsageError(f"callbacks: expected functions, got {callback!r}")


def call_back(events: Iterator[Event], callbacks: Sequence[Callback], interrupts: Interrupts) -> Iterator[Event]:
    """Call each callback with each event, and then yield it.

    If a callback raises an exception, no callback is called any more; the run stops after the current batch and is
    saved, and then the exception is raised. Before training begins and after it has ended, it is raised at once.
    """
    failure: BaseException | None = None
    is_training = False
    try:
        for event in events:
            is_training = (is_training or isinstance(event, TrainingStarted)) and not isinstance(event, TrainingEnded)
            try:
                for callback in callbacks if failure is None else ():
                    callback(event)
            except BaseException as error:
                if not is_training or (isinstance(error, KeyboardInterrupt) and interrupts.signal is not None):
                    raise  # nothing is left to save, or a second Ctrl-C
                failure = error
                interrupts.request_stop()
            yield event
    except CnntrainError as error:  # the run cannot be saved, or diverged in this batch
        if failure is None:
            raise
        raise failure from error
    finally:
        if isinstance(events, Generator):
            events.close()  # the exception's traceback would keep it, and the lock of the folder
    if failure is not None:
        raise failure
