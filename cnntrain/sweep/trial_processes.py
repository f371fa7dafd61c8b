"""Processes that train trials: starting, feeding and stopping them."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self

from cnntrain import errors
from cnntrain.errors import WorkerError
from cnntrain.parallel.processes import START, ignore_signals, same_kernels, search_path
from cnntrain.training.interrupts import Interrupts

POLL_SECONDS = 0.1
BUSY_SECONDS = 1.0
"""Seconds after which a trial is tried again that another process works on."""
END_SECONDS = 5.0
"""Seconds to wait for a killed process to end."""
MAX_DEATHS = 3
"""A trial whose process is killed this often has failed."""


class Message(NamedTuple):
    """What a process says about a trial."""

    number: int
    content: dict[str, Any]


class TrialProcess:
    """One process; see ``cnntrain.sweep.trial_process``.

    Args:
        heard: Receives what it says; None at its end.
        single: Whether a trial has one core.
    """

    def __init__(self, heard: "SimpleQueue[tuple[TrialProcess, dict[str, Any] | None]]", single: bool):
        if not sys.executable or getattr(sys, "frozen", False):
            raise WorkerError("trials need a Python interpreter to run in, and this program has none")
        self.job: dict[str, Any] | None = None
        self.is_ready = False
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
        command = [sys.executable, "-I" if sys.flags.ignore_environment else "-P", "-c", START]
        try:
            with ignore_signals():  # this process handles them
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self.errors,
                    env=os.environ | same_kernels() | ({"OMP_NUM_THREADS": "1"} if single else {}),
                )
        except OSError as error:
            self.errors.close()
            raise WorkerError(f"a process for trials could not be started ({error.strerror})") from error
        self.send(["cnntrain.sweep.trial_process", search_path()])
        self.listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self.listener.start()

    def _listen(self, heard: "SimpleQueue[tuple[TrialProcess, dict[str, Any] | None]]") -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with suppress(ValueError):  # half a line of a process that was killed
                heard.put((self, json.loads(line)))
        heard.put((self, None))

    def send(self, message: Any) -> None:
        """Send a line of JSON."""
        assert self.process.stdin is not None
        with suppress(OSError):  # it has ended, which its listener reports
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def exit_reason(self) -> str:
        """Return how it ended."""
        code = self.process.wait()
        if code < 0:
            return f"was killed by signal {-code}" + (", as the system does when memory runs out" if code == -9 else "")
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return f"ended with status {code}" + (f" ({lines[-1][:80]})" if lines else "")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self.listener.join(END_SECONDS)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(OSError):  # what was not sent
                stream.close()


class TrialProcesses:
    """Up to ``count`` processes, as a context manager that ends them all on exit.

    Args:
        count: Number of trials at a time.
        single: Whether a trial has one core.
        interrupts: Signals; after one, running trials save and stop.
    """

    def __init__(self, count: int, single: bool, interrupts: Interrupts | None = None):
        self.count, self.single, self.interrupts = count, single, interrupts
        self.heard: SimpleQueue[tuple[TrialProcess, dict[str, Any] | None]] = SimpleQueue()
        self.processes: list[TrialProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()

    @property
    def signal(self) -> int | None:
        """Number of the signal that arrived, if any."""
        return None if self.interrupts is None else self.interrupts.signal

    def run(self, jobs: Sequence[dict[str, Any]], is_done: Callable[[int], bool]) -> Iterator[Message]:
        """Train trials; yield what their processes say, ``{"end": ...}`` last for each trial.

        Args:
            jobs: The jobs, as in ``cnntrain.sweep.trial_process``.
            is_done: Whether a trial is done by now, asked about those that another process worked on.

        Raises:
            KeyboardInterrupt: A signal arrived; the trials are saved.
            CnntrainError: No trial can be trained, such as when data are missing; the other trials are saved.
        """
        waiting, deaths = deque(jobs), dict.fromkeys((job["number"] for job in jobs), 0)
        not_before: dict[int, float] = {}
        stopping = False
        failure: errors.CnntrainError | None = None
        while waiting or any(process.job for process in self.processes):
            if (self.signal is not None or failure is not None) and not stopping:
                stopping = True
                waiting.clear()
                for process in self.processes:
                    if process.job:
                        process.send({"stop": True})
                continue
            yield from self._start(waiting, not_before, is_done)
            try:
                process, content = self.heard.get(timeout=POLL_SECONDS)
            except Empty:
                continue
            job = process.job
            if content is None:
                self.processes.remove(process)
                reason = process.exit_reason()
                process.kill()
                if not process.is_ready:
                    failure = failure or WorkerError(f"a process for trials {reason}")
                elif job is not None and not stopping:
                    yield self._died(job, f"its process {reason}", deaths, waiting)
            elif "ready" in content:
                process.is_ready = True
            elif job is not None:
                if "end" in content:
                    process.job = None
                if content.get("end") == "bug":
                    raise RuntimeError(f"trial {job['number']}: {content['text']}")
                if content.get("end") == "error" and content["kind"] == "WorkerError":
                    if not stopping:
                        yield self._died(job, content["text"], deaths, waiting)
                elif content.get("end") == "error" and content["kind"] not in OF_A_TRIAL:
                    kind: type[errors.CnntrainError] = getattr(errors, content["kind"])
                    failure = failure or kind(f"trial {job['number']}: {content['text']}")
                elif content.get("end") in ("busy", "stopped"):
                    if not stopping:
                        not_before[job["number"]] = time.monotonic() + BUSY_SECONDS
                        waiting.append(job)
                else:
                    yield Message(job["number"], content)
        if failure is not None:
            raise failure
        if self.signal is not None:
            raise KeyboardInterrupt(self.signal)

    def _died(
        self, job: dict[str, Any], reason: str, deaths: dict[int, int], waiting: deque[dict[str, Any]]
    ) -> Message:
        """Resume a trial whose process was killed, but not for ever."""
        number = job["number"]
        deaths[number] += 1
        if deaths[number] < MAX_DEATHS:
            waiting.appendleft(job)
            return Message(number, {"warning": f"{reason}; it is resumed"})
        return Message(number, {"end": "error", "text": f"{reason}, {MAX_DEATHS} times"})

    def _start(
        self, waiting: deque[dict[str, Any]], not_before: dict[int, float], is_done: Callable[[int], bool]
    ) -> Iterator[Message]:
        """Give waiting jobs to free processes."""
        for _ in range(len(waiting)):
            job = waiting.popleft()
            number = job["number"]
            if number in not_before and is_done(number):
                yield Message(number, {"end": "done"})
                continue
            free = [process for process in self.processes if process.job is None]
            if not_before.get(number, 0.0) > time.monotonic() or (not free and len(self.processes) >= self.count):
                waiting.append(job)
                continue
            if not free:
                free = [TrialProcess(self.heard, self.single)]
                self.processes += free
            free[0].job = job
            free[0].send(job)


OF_A_TRIAL = ("DivergedError", "ConfigError", "ShapeError", "OutOfMemoryError")
"""Errors that make a trial fail, and not the sweep."""
