"""``mpiexec -n N cnntrain train CONFIG``: one command as several MPI ranks.

Rank 0 runs the command line. The others do not read it: they train as rank 0 says, and print nothing.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import typer

from cnntrain.cli.views.terminal import errors_as_messages, print_failure, wants_json
from cnntrain.errors import CnntrainError, OutOfMemoryError, UsageError, WorkerError
from cnntrain.launcher import TIMEOUT, Launch, end_job

if TYPE_CHECKING:
    from cnntrain.parallel.mpi_session import Session

TRAINING = ("train", "resume")
"""Commands that MPI ranks run together."""
HEAD_START = 1.0
"""Seconds for rank 0 to print: launchers end all ranks once one has failed."""
ALONE = ("--help", "-h", "--version", "--install-completion", "--show-completion")
"""Options with which a command only prints something."""


def run_ranks(launch: Launch, app: Callable[[], object]) -> None:
    """Run the command line as one of several ranks, and exit with its status.

    Args:
        launch: How this process was started.
        app: Runs the command line, and exits.
    """
    words = sys.argv[1:]
    if launch.rank:
        ignore_signals()
    command = next((word for word in words if not word.startswith("-")), "")
    if not command or set(ALONE) & set(words):
        if launch.rank == 0:
            app()
        sys.exit(0)
    wants_json.set("--json" in words)
    try:
        refuse(command, words, launch)
        from cnntrain.parallel.mpi_session import Session

        session = Session.open(launch, timeout_of(words))
    except UsageError as error:
        if launch.local_rank == 0 and (launch.rank == 0 or "mpi4py" in str(error)):  # once a machine
            print_failure("UsageError", str(error), UsageError.exit_code)
        leave_before_mpi(launch, UsageError.exit_code)
    except BaseException:
        traceback.print_exc()
        leave_before_mpi(launch, WorkerError.exit_code if launch.rank else 1)
    if launch.rank == 0:
        run_first_rank(session, app)
    else:
        run_other_rank(session)


def leave_before_mpi(launch: Launch, status: int) -> NoReturn:
    """End a rank that MPI does not know yet, and the job, or the other ranks would wait for this one."""
    sys.stderr.flush()
    time.sleep(HEAD_START if launch.rank else HEAD_START / 2)  # the launcher drops what it has not passed on by then
    end_job(status)
    sys.exit(status)


def refuse(command: str, words: Sequence[str], launch: Launch) -> None:
    """Raise UsageError for what cannot run as several ranks."""
    if command not in TRAINING or "--dry-run" in words:
        name = f"{command} --dry-run" if command in TRAINING else command
        raise UsageError(
            f"{launch.command} started {launch.size} ranks, but only train and resume run as several; start {name} "
            "once, without it"
        )
    for word in words:
        if word.startswith(("--workers", "training.workers=")):
            raise UsageError(
                f"{word.partition('=')[0]}: {launch.command} started {launch.size} ranks, and these are the processes "
                f"of the run; leave it out, or start {launch.command} with another number"
            )


def timeout_of(words: Sequence[str]) -> float:
    """Return the value of ``--timeout``; rank 0 reports a malformed one."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option == "--timeout":
            with suppress(ValueError):
                seconds = float(value if equals else following)
                return seconds if seconds > 0 else TIMEOUT
    return TIMEOUT


def run_first_rank(session: "Session", app: Callable[[], object]) -> None:
    """Run the command line on rank 0, and end the job with its status."""
    stop_by_exception()
    code = 1
    try:
        with errors_as_messages():
            from cnntrain.training.mpi_notes import exchange_facts

            exchange_facts(session)
        app()
    except typer.Exit as end:
        code = end.exit_code
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    session.close(code)
    sys.exit(code)


def run_other_rank(session: "Session") -> None:
    """Train on a rank above 0 as rank 0 says, and exit."""
    errors, sys.stdout = sys.stderr, open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
    try:
        from cnntrain.training.mpi_notes import exchange_facts
        from cnntrain.training.mpi_ranks import serve

        with suppress(UsageError):  # rank 0 says the same, and ends the job
            exchange_facts(session)
        serve(session)
    except WorkerError:  # a rank was lost; rank 0 says so
        session.kill_job(WorkerError.exit_code)
    except (MemoryError, CnntrainError) as error:
        shortage = OutOfMemoryError.of(error) if isinstance(error, MemoryError) else error
        print(f"error: rank {session.rank} on {session.host}: {shortage}", file=errors, flush=True)
        session.kill_job(shortage.exit_code)
    except BaseException:
        print(f"error: rank {session.rank} on {session.host} failed; the run is stopped", file=errors)
        traceback.print_exc(file=errors)
        errors.flush()
        session.kill_job(WorkerError.exit_code)
    session.close(0)
    sys.exit(0)


def stop_by_exception() -> None:
    """Have signals that come before or after the run itself raise KeyboardInterrupt, as Ctrl-C does."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def ignore_signals() -> None:
    """Leave signals to rank 0: launchers hand them to every rank."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
