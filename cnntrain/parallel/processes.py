"""Processes that one process starts, watches and ends.

They are new interpreters that get everything through their standard input: nothing is forked, and the user's own script
or notebook is not run again in them. None of them outlives the first process: it ends them all, however it ends itself;
should it be killed, their standard input closes, and that ends them.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

from cnntrain.errors import WorkerError
from cnntrain.ops.matmul import kernels

START = """
import json, sys
module, sys.path[:] = json.loads(sys.stdin.buffer.readline())
from importlib import import_module
import_module(module).main()
"""
"""What the interpreter of a process runs."""

MAX_REASON = 80
"""Characters shown of a process's last words."""

MAX_END = 5.0
"""Seconds to wait for the end of a process that is killed."""


class Processes:
    """Workers 1, 2, ... as a context; at its end none of them is left.

    Args:
        module: Its ``main()`` is what they run.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.files: tuple[int, ...] = ()
        """Descriptors of open files that those to be started may use; on Windows they get none."""
        self.processes: list[subprocess.Popen[bytes]] = []
        self.errors: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # They have nothing to save, and wait for this when their work is done.
        for process in self.processes:
            process.kill()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):  # stuck in the kernel: it ends when it comes out of there
                process.wait(MAX_END)
            assert process.stdin is not None
            with suppress(OSError):  # of words that were never read
                process.stdin.close()
        for file in self.errors:
            file.close()

    def start(self, handle: int | str) -> None:
        """Start one more worker, which may open the shared memory behind ``handle``.

        Raises:
            WorkerError: It could not be started.
        """
        worker = len(self.processes) + 1
        if not sys.executable or getattr(sys, "frozen", False):
            raise WorkerError("workers need a Python interpreter to run in, and this program has none; use --workers 1")
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - read when the worker has ended
            self.errors.append(file)
            with ignore_signals():
                process = subprocess.Popen(
                    # Neither option lets the worker import what lies in the current folder, a json.py perhaps.
                    [sys.executable, "-I" if sys.flags.ignore_environment else "-P", "-c", START],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=file,
                    env=os.environ | same_kernels(),
                    **options(handle, self.files),
                )
        except OSError as error:
            raise WorkerError(
                f"worker {worker} could not be started ({error.strerror}); --workers 1 needs none"
            ) from error
        self.processes.append(process)
        self.send(worker, [self.module, search_path()])

    def send(self, worker: int, message: Any) -> None:
        """Send a worker a line of JSON."""
        stdin = self.processes[worker - 1].stdin
        assert stdin is not None
        with suppress(OSError):  # it has ended already: ``check_alive`` says how
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()

    def check_alive(self) -> None:
        """Raise WorkerError if a worker has ended."""
        for worker, process in enumerate(self.processes, start=1):
            if process.poll() is not None:
                raise WorkerError(f"worker {worker} {self.exit_reason(worker)}; the run is stopped")

    def wake(self) -> None:
        """Let workers run that somebody has stopped."""
        for process in self.processes:
            if sys.platform != "win32":
                process.send_signal(signal.SIGCONT)

    def exit_reason(self, worker: int) -> str:
        """How a worker ended, in words."""
        code = self.processes[worker - 1].returncode
        if code < 0:
            memory = ", as the system does when memory runs out" if code == -9 else ""
            return f"was killed by signal {-code}{memory}"
        self.errors[worker - 1].seek(0)
        lines = self.errors[worker - 1].read().decode(errors="replace").strip().splitlines()
        return f"ended with status {code}" + (f" ({lines[-1][:MAX_REASON]})" if lines else "")


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Context in which a wish to stop waits, and new processes never hear one: the first process answers for all."""
    if sys.platform == "win32":  # see ``options``
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def options(handle: int | str, files: tuple[int, ...] = ()) -> dict[str, Any]:
    """Options of a new process that depend on the system."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}  # a console of its own: Ctrl-C does not reach it
    return {"pass_fds": (handle, *files)}


def search_path() -> list[str]:
    """Where a worker looks for modules: where this process does, and where cnntrain was found in any case."""
    package = str(Path(__file__).parents[2])
    return [*(entry for entry in sys.path if isinstance(entry, str) and entry), package]


def same_kernels() -> dict[str, str]:
    """Environment in which a worker's OpenBLAS takes the kernels that NumPy has here, on one thread."""
    here = kernels()
    return {"OPENBLAS_NUM_THREADS": "1", **({} if here is None else {"OPENBLAS_CORETYPE": here})}
