"""Ctrl-C and SIGTERM as a wish to stop, so that a run can save what it has learned."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
"""Ctrl-C; what asks a process to end; Ctrl-Break, which does so on Windows."""


class Interrupts:
    """Context in which the first SIGINT or SIGTERM is noted and a second one ends the program.

    The old handlers come back at the end. Outside the main thread, where Python allows no handlers, it does nothing.

    Args:
        tell: Called at the first signal. It runs inside a signal handler, between any two
            instructions of the program, and should do no more than one ``os.write``.

    Example:
        >>> with Interrupts() as interrupts:
        ...     for event in fit(config, interrupts=interrupts):
        ...         ...
    """

    def __init__(self, tell: Callable[[], None] | None = None) -> None:
        self.signal: int | None = None
        """The signal that asked to stop."""
        self._tell = tell
        self._old_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._old_handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._old_handlers.items():
            # None: set by something other than Python, which Python cannot set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._old_handlers.clear()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt(number)
        self.signal = number
        if self._tell is not None:
            self._tell()
