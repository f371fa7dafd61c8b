"""Silences warnings of Pillow and libtiff about problems that cnntrain repairs or reports itself."""

import ctypes
import sys
import threading
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import PIL


class _Quiet:
    """Thread-safe context without warnings; ``warnings.catch_warnings`` is not thread-safe.

    Pillow warns about odd metadata and large sizes, which cnntrain repairs or reports itself.
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
    """Stop libtiff from writing to stderr about odd tags, which bypasses Python.

    Pillow has no option for it, so this calls libtiff directly if it is a shared library (not on Windows, where Pillow
    links it statically). Pillow still sees its errors.
    """
    for path in _libtiff():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.TIFFSetWarningHandler(None)
            library.TIFFSetErrorHandler(None)


def _libtiff() -> list[str]:
    """Return the paths of the libtiff that Pillow has loaded."""
    if sys.platform == "linux":
        with suppress(OSError):
            lines = Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines()
            return sorted({line[line.index("/") :] for line in lines if "/libtiff" in line})
    return [str(path) for path in (Path(PIL.__file__).parent / ".dylibs").glob("libtiff*.dylib")]
