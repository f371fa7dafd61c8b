"""How a loader tells what it is at: those who start it decide who hears."""

from collections.abc import Callable
from dataclasses import dataclass


def _silent(*_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class ProgressReporter:
    """Who is told while data are loaded. Whatever these functions raise ends the loading."""

    progress: Callable[[int, int, str], None] = _silent
    """Called with what is done, the total, and what is being done."""
    note: Callable[[str], None] = _silent
    """Called with a sentence that the user should read, though nothing is wrong enough to stop."""


NO_PROGRESS = ProgressReporter()
