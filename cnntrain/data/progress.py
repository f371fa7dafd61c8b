"""Progress and notes of a loader, reported through callbacks."""

from collections.abc import Callable
from dataclasses import dataclass


def _silent(*_: object) -> None:
    """Ignore the call."""


@dataclass(frozen=True, slots=True)
class ProgressReporter:
    """Callbacks while data are loaded. An exception in one of them stops the loading."""

    progress: Callable[[int, int, str], None] = _silent
    """Called with the amount done, the total (0 if unknown) and a description."""
    note: Callable[[str], None] = _silent
    """Called with a message for the user that is not an error."""


NO_PROGRESS = ProgressReporter()
