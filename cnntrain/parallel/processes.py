"""Worker processes: start, monitor and stop them.

Workers are new interpreters that receive everything through standard input: nothing is forked, and the user's script or
notebook does not run again in them. None of them outlives the parent: it kills them all at its end, and if it is killed
itself, their standard input closes, which ends them.
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
"""The program of a worker's interpreter."""

MAX_REASON = 80
"""Maximum characters of a worker's last line of stderr in a message."""

MAX_END = 5.0
"""Seconds to wait for a killed process to end."""


class Processes:
    """Workers 1, 2, ... as a context manager that stops them all on exit.

    Args:
        module: The module whose ``main()`` the workers run.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.files: tuple[int, ...] = ()
        """File descriptors that new workers inherit; unused on Windows."""
        self.processes: list[subprocess.Popen[bytes]] = []
        self.errors: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Workers have nothing to save, and wait for this when they are done.
        for process in self.processes:
            process.kill()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):  # stuck in the kernel: it ends later
                process.wait(MAX_END)
            assert process.stdin is not None
            with suppress(OSError):  # unread input
                process.stdin.close()
        for file in self.errors:
            file.close()

    def start(self, handle: int | str) -> None:
        """Start a worker that may open the shared memory ``handle``.

        Raises:
            WorkerError: The worker could not be started.
        """
        worker = len(self.processes) + 1
        if not sys.executable or getattr(sys, "frozen", False):
            raise WorkerError("workers need a Python interpreter to run in, and this program has none; use --workers 1")
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - read when the worker has ended
            self.errors.append(file)
            with ignore_signals():
                process = subprocess.Popen(
                    # With either option the worker does not import modules from the current folder, such as a json.py.
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
        with suppress(OSError):  # it has already ended: ``check_alive`` reports it
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()

    def check_alive(self) -> None:
        """Raise WorkerError if a worker has ended."""
        for worker, process in enumerate(self.processes, start=1):
            if process.poll() is not None:
                raise WorkerError(f"worker {worker} {self.exit_reason(worker)}; the run is stopped")

    def wake(self) -> None:
        """Continue stopped workers."""
        for process in self.processes:
            if sys.platform != "win32":
                process.send_signal(signal.SIGCONT)

    def exit_reason(self, worker: int) -> str:
        """Describe how a worker ended."""
        code = self.processes[worker - 1].returncode
        if code < 0:
            memory = ", as the system does when memory runs out" if code == -9 else ""
            return f"was killed by signal {-code}{memory}"
        self.errors[worker - 1].seek(0)
        lines = self.errors[worker - 1].read().decode(errors="replace").strip().splitlines()
        return f"ended with status {code}" + (f" ({lines[-1][:MAX_REASON]})" if lines else "")


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Context that blocks stop signals, so new processes inherit the block: only the parent handles them."""
    if sys.platform == "win32":  # see ``options``
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def options(handle: int | str, files: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return platform-specific options of ``Popen``."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}  # its own console, so Ctrl-C does not reach it
    return {"pass_fds": (handle, *files)}


def search_path() -> list[str]:
    """Return the module search path of a worker: that of this process, plus the folder of cnntrain."""
    package = str(Path(__file__).parents[2])
    return [*(entry for entry in sys.path if isinstance(entry, str) and entry), package]


def same_kernels() -> dict[str, str]:
    """Return environment variables that select the same OpenBLAS kernels in a worker, on one thread."""
    core_type = kernels()
    return {"OPENBLAS_NUM_THREADS": "1", **({} if core_type is None else {"OPENBLAS_CORETYPE": core_type})}
