"""Errors that a user can cause, each with the exit code of the command line.

```text
CnntrainError            2
├── ConfigError          2   the YAML file, or an override of it
│   └── ShapeError       2   a layer does not fit the image that reaches it
├── UsageError           2   an argument of the command line, or the path it names
├── StorageError         2   a run, weights or another result cannot be saved
├── GradientError        3   a gradient check failed
├── ReplayError          3   replayed steps gave different bits
├── SanityCheckError     3   a sanity check failed
├── RunsDifferError      3   two runs are not identical
├── ExportError          3   the exported network gives different outputs
├── ExplanationError     3   a number of the engine differs from the textbook's
├── DataError            4   data missing or malformed
│   └── ImageError       4   an image file cannot be read
├── WeightsError         5   weights malformed, or of another network
├── DivergedError        6   the loss is infinite or NaN
├── WorkerError          7   a worker process ended or could not start
└── OutOfMemoryError     8   there is not enough memory
```

A message has one sentence for each mistake: what is wrong, where, what was given, what works. An exception that is not
a ``CnntrainError`` is a bug and keeps its traceback.
"""

import json
import os
import unicodedata
import zlib
from typing import ClassVar

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text after them and can disguise a name."""


class CnntrainError(Exception):
    """Base of everything that a user can cause and fix."""

    exit_code: ClassVar[int] = 2
    has_lines: bool = False
    """Whether each line of the text is a fault of its own; otherwise a line break can only be part of a name."""


class ConfigError(CnntrainError):
    """A config is invalid; the message has one line for each mistake."""

    has_lines = True


class ShapeError(ConfigError):
    """A layer does not fit the image or vector that reaches it."""


class UsageError(CnntrainError):
    """An argument is invalid, or the path it names cannot be used."""


class StorageError(CnntrainError):
    """A result cannot be saved: the disk is full, or the folder is missing or not writable."""


class GradientError(CnntrainError):
    """A gradient of the backward pass differs from finite differences."""

    exit_code = 3


class SanityCheckError(CnntrainError):
    """A sanity check of a config or run failed."""

    exit_code = 3


class RunsDifferError(CnntrainError):
    """Two runs are not identical to the last bit."""

    exit_code = 3


class ExportError(CnntrainError):
    """The outputs of an exported file differ from those of the network."""

    exit_code = 3


class ExplanationError(CnntrainError):
    """A number of the engine differs from what the textbook computes from the same operands."""

    exit_code = 3


class ReplayError(CnntrainError):
    """Replayed steps of a run gave different bits."""

    exit_code = 3


class DataError(CnntrainError):
    """Data are missing or malformed."""

    exit_code = 4


class ImageError(DataError):
    """An image file cannot be read.

    Attributes:
        path: The file.
        reason: The reason in a few words, as ``it is cut off``.
    """

    def __init__(self, path: "str | os.PathLike[str]", reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{os.fspath(path)}: {reason}")


class WeightsError(CnntrainError):
    """Weights are malformed, or do not fit the network."""

    exit_code = 5


class DivergedError(CnntrainError):
    """The loss, an output or a weight became infinite or NaN."""

    exit_code = 6


class WorkerError(CnntrainError):
    """A worker process ended or could not start."""

    exit_code = 7


class OutOfMemoryError(CnntrainError):
    """There is not enough memory."""

    exit_code = 8

    @classmethod
    def of(cls, error: BaseException) -> "OutOfMemoryError":
        """Return the error for a ``MemoryError``; NumPy's text names the size of the array."""
        requested = str(error).removeprefix("Unable to allocate ").partition(" for an array")[0]
        size = f" ({requested} more was asked for)" if "Unable to allocate" in str(error) else ""
        return cls(
            f"there is not enough memory{size}: smaller images, a smaller training.batch_size, a smaller network or "
            "fewer --workers take less"
        )


def can_be_shown(text: str) -> bool:
    """Return whether text is safe to print: it affects neither the terminal nor the text around it.

    Control characters, line breaks, lone surrogates and characters that change the writing direction are unsafe; the
    joiners and spaces of every script are safe.
    """
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in BIDI_CONTROLS for c in text)


def reason_of(error: BaseException) -> str:
    """Return in plain words why a file cannot be read, instead of the messages of Python modules."""
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
    r"""Return a name or message with unsafe characters escaped, such as a line break as ``\n``."""
    if can_be_shown(name):
        return name
    return "".join(c if can_be_shown(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in name)
