"""Errors that a user can cause, each with the exit status of the command line.

::

    CnntrainError            2
    ├── ConfigError          2   the YAML file, or an override of it
    │   └── ShapeError       2   a layer does not fit the image that reaches it
    ├── UsageError           2   words on the command line, or a path they name
    ├── StorageError         2   what was learned cannot be saved
    ├── GradientError        3   a gradient check failed
    ├── ReplayError          3   steps that were repeated gave other bits
    ├── ExportError          3   an exported network computes something else
    ├── DataError            4   data missing or malformed
    │   └── PictureError     4   an image's file cannot be read
    ├── WeightsError         5   weights malformed, or made for another network
    ├── DivergedError        6   the loss became infinite or not a number
    ├── WorkerError          7   a worker process ended, or could not be started
    └── OutOfMemoryError     8   there is not enough memory

The text of each is one sentence a fault: what is wrong, where, what was given, what would work. Whatever is not a
``CnntrainError`` is a bug and keeps its traceback.
"""

import json
import os
import unicodedata
import zlib
from typing import ClassVar

TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text behind them: with them a name looks like another."""


class CnntrainError(Exception):
    """Base of everything that a user can cause and fix."""

    exit_code: ClassVar[int] = 2


class ConfigError(CnntrainError):
    """A config cannot be used. Several faults stand on a line each."""


class ShapeError(ConfigError):
    """A layer does not fit the image or vector that reaches it."""


class UsageError(CnntrainError):
    """Words that a command does not understand, or a path that it cannot use."""


class StorageError(CnntrainError):
    """What was learned cannot be saved: no room, no permission, or no folder."""


class GradientError(CnntrainError):
    """An analytic gradient differs from the numeric one."""

    exit_code = 3


class ExportError(CnntrainError):
    """An exported network computes something else than the network that it was made of."""

    exit_code = 3


class ReplayError(CnntrainError):
    """Steps of a run that were repeated gave other bits than the first time."""

    exit_code = 3


class DataError(CnntrainError):
    """Data are missing or malformed."""

    exit_code = 4


class ImageError(DataError):
    """The file of an image cannot be read.

    Attributes:
        path: The file.
        reason: Why, in a few words: ``it is cut off``.
    """

    def __init__(self, path: "str | os.PathLike[str]", reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{os.fspath(path)}: {reason}")


class WeightsError(CnntrainError):
    """Weights are malformed, or do not fit the network."""

    exit_code = 5


class DivergedError(CnntrainError):
    """The loss, an output or a weight became infinite or not a number."""

    exit_code = 6


class WorkerError(CnntrainError):
    """A worker process ended, or could not be started."""

    exit_code = 7


class OutOfMemoryError(CnntrainError):
    """There is not enough memory."""

    exit_code = 8

    @classmethod
    def of(cls, error: BaseException) -> "OutOfMemoryError":
        """Say that memory ran out: of a ``MemoryError``, whose text from NumPy names a size, shape and type."""
        asked = str(error).removeprefix("Unable to allocate ").partition(" for an array")[0]
        size = f" ({asked} more was asked for)" if "Unable to allocate" in str(error) else ""
        return cls(
            f"there is not enough memory{size}: smaller images, a smaller training.batch_size, a smaller network or "
            "fewer --workers take less"
        )


def can_be_shown(text: str) -> bool:
    """Whether text does nothing to a terminal or to the text around it.

    That excludes control characters, line breaks, bytes that are no text, and what turns the direction of writing. The
    joiners and the spaces of every script are allowed.
    """
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in TURNS for c in text)


def reason_of(error: BaseException) -> str:
    """Return in plain words why a file cannot be read; what Python's modules say means nothing to its owner."""
    match error:
        case CnntrainError():
            return str(error)
        case OSError() if error.strerror:
            return error.strerror
        case json.JSONDecodeError():
            return f"it is not JSON from line {error.lineno} on"
        case UnicodeError():
            return "it is not UTF-8 text"
        case EOFError():
            return "it is cut off"
        case zlib.error() | OSError():
            return "its bytes are not as they were written"
        case RecursionError():
            return "it is nested too deep"
    return "it does not hold what it should"


def visible(name: str) -> str:
    r"""Return a name or a message with what cannot be shown as escapes: a line break as ``\n``."""
    if can_be_shown(name):
        return name
    return "".join(c if can_be_shown(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in name)
