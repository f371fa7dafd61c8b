"""Ctrl-C, SIGTERM and SIGHUP as a wish to stop, so that a run can save what it has learned."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
"""Ctrl-C; what asks a process to end; a terminal that closes; Ctrl-Break, which asks a process to end on Windows."""

_HANGUP = getattr(signal, "SIGHUP", None)
"""Never a second signal: a shell passes on what the system has sent already, and systemd sends it after SIGTERM."""

ECHO_SECONDS = 0.2
"""``timeout`` and other programs that start one send a signal both to it and to its group: that is one signal."""


class Interrupts:
    """Context in which the first signal that asks to stop is noted and a second one ends the program.

    The old handlers come back at the end. What ``nohup`` has made deaf to a closing terminal stays so. Outside the main
    thread, where Python allows no handlers, it does nothing.

    Args:
        tell: Called at the first signal. It runs inside a signal handler, between any two
            instructions of the program, and should do no more than one ``os.write``.

    Examples:
        >>> with Interrupts() as interrupts:  # doctest: +SKIP
        ...     for event in fit(config, interrupts=interrupts):
        ...         ...
    """

    def __init__(self, tell: Callable[[], None] | None = None) -> None:
        self.signal: int | None = None
        """The signal that asked to stop."""
        self._tell = tell
        self._noted = 0.0
        self._old_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number == _HANGUP and signal.getsignal(number) is signal.SIG_IGN:  # nohup
                    continue
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
            if number == _HANGUP or (number == self.signal and time.monotonic() - self._noted < ECHO_SECONDS):
                return
            raise KeyboardInterrupt(number)
        self.signal, self._noted = number, time.monotonic()
        if self._tell is not None:
            self._tell()
