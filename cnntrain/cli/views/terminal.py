"""The two streams of a command: results on stdout, messages on stderr; and errors as sentences.

Rich is imported late: ``cnntrain --help`` needs none of it.
"""

import json
import math
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import typer

from cnntrain.cli.options import ProgressMode
from cnntrain.errors import CnntrainError, OutOfMemoryError, WorkerError
from cnntrain.evaluation.display_names import visible

if TYPE_CHECKING:
    from rich.console import Console

    from cnntrain.cli.views.console import CommandConsole


wants_json: ContextVar[bool] = ContextVar("wants_json", default=False)
"""Whether stdout still waits for its one JSON object, which is that of an error if there is no result."""

NO_MEMORY = ("failed to map segment", "Cannot allocate memory", "cannot allocate memory")
"""What the system says of a library that it has no memory for."""


def results() -> "CommandConsole":
    """Where a command prints what it was asked for."""
    from cnntrain.cli.views.console import CommandConsole

    return CommandConsole(sys.stdout)


def messages(live: bool = False) -> "CommandConsole":
    """Where a command says how it is going, and what went wrong."""
    from cnntrain.cli.views.console import CommandConsole

    return CommandConsole(sys.stderr, live)


def is_live(mode: ProgressMode) -> bool:
    """Whether stderr shows a bar that moves: on a terminal, or where ``--progress rich`` wants it anyway."""
    if mode is ProgressMode.AUTO:
        return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return mode is ProgressMode.RICH


def print_json(result: dict[str, Any]) -> None:
    """Print ``result`` as one line of JSON; a number that is not finite becomes null, since JSON has no word for it."""
    wants_json.set(False)
    print(json.dumps(finite(result), allow_nan=False), flush=True)


def finite(value: Any) -> Any:
    """Return ``value`` with None for each number that is not finite."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_error(text: str, console: "Console | None" = None) -> None:
    """Print each line of ``text`` as ``error: <line>``, unwrapped, with control characters made visible."""
    _print_marked(console or messages(), "error:", "bold red", text)


def print_failure(kind: str, text: str, status: int) -> None:
    """Print why a command ends without a result: on stderr, and with ``--json`` as the object on stdout, too."""
    print_error(text)
    if wants_json.get():
        print_json({"error": {"kind": kind, "message": text, "exit": status}})


def print_note(text: str, console: "Console | None" = None) -> None:
    """Print each line of ``text`` as ``note: <line>``: what should be known, though nothing went wrong."""
    _print_marked(console or messages(), "note:", "bold", text)


def print_warning(text: str, console: "Console | None" = None) -> None:
    """Print each line of ``text`` as ``warning: <line>``, as ``print_error`` does; by default on stderr."""
    _print_marked(console or messages(), "warning:", "bold yellow", text)


def _print_marked(console: "Console", mark: str, style: str, text: str) -> None:
    from rich.text import Text

    for line in text.split("\n"):
        console.print(Text.assemble((mark, style), " ", visible(line)), soft_wrap=True)


def command(*words: str) -> str:
    r"""Return a command line; a word with characters that cannot be shown has them as escapes: ``$'a\x1bc.yaml'``."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return one word as bash and zsh read it."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(f"\\{c}" if c in "'\\" else c if c.isprintable() else _bytes(c) for c in word)
    return f"$'{escaped}'"


def _bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """End the command with a sentence and an exit status for what a user can cause; a bug keeps its traceback.

    Raises:
        typer.Exit: With the status of the error; 130, 143 or 129 when stopped by SIGINT, SIGTERM or SIGHUP, 141 when
            whoever read our output is gone; 7 when the system lets this process start no thread; 8 when there is not
            enough memory.
    """
    try:
        yield
        sys.stdout.flush()
    except CnntrainError as error:
        text = str(error) if error.has_lines else visible(str(error))
        print_failure(type(error).__name__, text, error.exit_code)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt as stop:
        status = 128 + (stop.args[0] if stop.args else signal.SIGINT)
        for line in ("stopped", *stop.args[1:]):
            messages().print(line, soft_wrap=True)
        if wants_json.get():
            print_json({"error": {"kind": "Interrupted", "message": "stopped", "exit": status}})
        raise typer.Exit(status) from None
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and not any(sign in str(error) for sign in NO_MEMORY):
            raise
        shortage = OutOfMemoryError.of(error)
        print_failure("OutOfMemoryError", str(shortage), shortage.exit_code)
        raise typer.Exit(shortage.exit_code) from None
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        message = (
            "the system lets this process start no more threads; raise the limit of processes (ulimit -u), or of "
            "memory (ulimit -v)"
        )
        print_failure("WorkerError", message, WorkerError.exit_code)
        raise typer.Exit(WorkerError.exit_code) from None
    except BrokenPipeError:
        _drop_unwritten()
        raise typer.Exit(128 + 13) from None  # SIGPIPE, which Windows has no name for
    except OSError as error:
        if error.strerror is None:
            raise
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        with suppress(OSError):  # stdout may be what cannot be written
            print_failure("OSError", f"{where}{error.strerror}", 2)
        _drop_unwritten()
        raise typer.Exit(2) from None


def _drop_unwritten() -> None:
    """Let go what a stream cannot take: Python flushes it once more at the end, and would complain a second time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
