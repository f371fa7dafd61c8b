"""Ctrl-C, SIGTERM and SIGHUP as requests to stop, so that a run can save its state first."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
"""Ctrl-C; termination; a closed terminal; Ctrl-Break, which terminates a process on Windows."""

_HANGUP = getattr(signal, "SIGHUP", None)
"""Never counts as a second signal: a shell forwards it after the system sent it, and systemd sends it after SIGTERM."""

ECHO_SECONDS = 0.2
"""``timeout`` and similar programs signal both the process and its group: that counts as one signal."""


class Interrupts:
    """Context manager that records the first request to stop; a second one ends the program.

    The old handlers are restored at the end. A process under ``nohup`` still ignores a closed terminal. Outside of the
    main thread, where Python allows no signal handlers, it does nothing.

    Args:
        on_signal: Callback for the first signal. It runs inside a signal handler and should do no more than one
            ``os.write``.

    Examples:
        >>> with Interrupts() as interrupts:  # doctest: +SKIP
        ...     for event in fit(config, interrupts=interrupts):
        ...         ...
    """

    def __init__(self, on_signal: Callable[[], None] | None = None) -> None:
        self.signal: int | None = None
        """Number of the first signal."""
        self._on_signal = on_signal
        self._is_asked = False
        self._received = 0.0
        self._old_handlers: dict[signal.Signals, Any] = {}

    @property
    def stop_requested(self) -> bool:
        """Whether the run is to stop after the current batch: because of a signal, or of ``request_stop``."""
        return self._is_asked or self.signal is not None

    def request_stop(self) -> None:
        """Stop the run as a signal would."""
        self._is_asked = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number == _HANGUP and signal.getsignal(number) is signal.SIG_IGN:  # nohup
                    continue
                self._old_handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._old_handlers.items():
            # None: not installed from Python, so Python cannot restore it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._old_handlers.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            if number == _HANGUP or (number == self.signal and time.monotonic() - self._received < ECHO_SECONDS):
                return
            raise KeyboardInterrupt(number)
        self.signal, self._received = number, time.monotonic()
        if self._on_signal is not None:
            self._on_signal()
