"""Silence about what Pillow warns of: it is repaired, or told in our own words."""

import threading
import warnings


class _Quiet:
    """Context without warnings, for any number of threads at once: Python's own is not made for threads.

    Pillow warns of what is repaired or told in our own words: odd metadata, and sizes of which it is not sure.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._context = warnings.catch_warnings()
                self._context.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._context.__exit__(None, None, None)


QUIET = _Quiet()
