"""Silence about what Pillow and its libraries warn of: it is repaired, or reported in our own words."""

import ctypes
import sys
import threading
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import PIL


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


PILLOW_QUIET = _Quiet()


@cache
def silence_libtiff() -> None:
    """Have libtiff write nothing to stderr by itself: of each odd tag it does, past everything that Python knows of.

    Pillow has no way to say so, hence libtiff is asked itself, where it is a library of its own: not on Windows, whose
    Pillow holds it inside. Its errors still reach Pillow.
    """
    for path in _libtiff():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.TIFFSetWarningHandler(None)
            library.TIFFSetErrorHandler(None)


def _libtiff() -> list[str]:
    """Where the libtiff lies that Pillow has loaded."""
    if sys.platform == "linux":
        with suppress(OSError):
            lines = Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines()
            return sorted({line[line.index("/") :] for line in lines if "/libtiff" in line})
    return [str(path) for path in (Path(PIL.__file__).parent / ".dylibs").glob("libtiff*.dylib")]
