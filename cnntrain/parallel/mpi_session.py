"""The ranks of an MPI job: start, liveness, messages and the end. None of them waits for ever.

Only rank 0 decides. It sends the others a **word**, and they wait for it without using the processor. Collective
operations are started, and then tested until they are done, so that a rank that waits can look for trouble.

Every rank sends rank 0 a heartbeat, from a thread of its own, and rank 0 sends each rank one: however long a step or a
download takes, a rank is alive as long as its heartbeats arrive. If none arrives for ``timeout`` seconds, the rank is
stopped, or the network is cut, and the job ends.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np

from cnntrain.errors import UsageError, WorkerError
from cnntrain.launcher import TIMEOUT, Launch
from cnntrain.parallel.mpi_job import set_session
from cnntrain.parallel.mpi_library import library_advice, load_mpi
from cnntrain.types import Array

GO, STOP, COLLECT, JOB, END = range(5)
"""Words of rank 0: next step, stop this loop, send the optimizer state, begin a loop, end."""

MAX_BEAT = 5.0
"""Maximum seconds between two heartbeats."""
BEATS = 5
"""Heartbeats per timeout."""
GRACE = 10.0
"""Seconds to save after a rank was lost, and to end."""

SPIN_COUNT = 100
"""Tests of an operation before sleeping or yielding: about 0.1 ms."""
MIN_NAP, MAX_NAP = 0.00005, 0.002
"""Seconds to sleep between two tests, growing by 10 % each: about a tenth of the wait so far."""
TRANSFER_SECONDS = 0.5
"""Seconds that a transfer may use the processor; then it naps, too."""
PIECE = 2**26
"""Bytes to broadcast at a time."""


class JobEnded(Exception):
    """Rank 0 has ended the job."""


class Session:
    """This process as a rank of an MPI job.

    Args:
        launch: What the environment says of this rank.
        timeout: Seconds without a heartbeat after which the job ends.

    Attributes:
        rank, size: This rank, and the number of ranks.
        node, leaders: The ranks of this machine; the first rank of each machine.
        machine: Rank of this machine's first rank.
        host: Name of this machine.
        hosts: Name of each rank's machine.
        facts: What each rank runs on.
        cores: Number of cores that all ranks may use together.
        samples: Data of the run as rank 0 has loaded them, and as this rank sees them.
    """

    def __init__(self, launch: Launch, timeout: float = TIMEOUT):
        self.MPI = load_mpi(launch)
        self.timeout = timeout
        watchdog = self.exit_later(timeout, f"MPI did not start on all ranks within {timeout:g} s", 7)
        self.MPI.Init_thread(self.MPI.THREAD_MULTIPLE)
        world = self.MPI.COMM_WORLD
        seen = world.size
        if seen != launch.size:
            watchdog.cancel()
            self.MPI.Finalize()
            raise UsageError(
                f"{launch.launcher} started {launch.size} ranks, but the MPI library of mpi4py "
                f"({self.MPI.get_vendor()[0]}) sees {seen}; {library_advice(launch)}"
            )
        self.comm, self.beats = world.Dup(), world.Dup()
        self.rank, self.size = world.rank, world.size
        self.node = world.Split_type(self.MPI.COMM_TYPE_SHARED)
        self.leaders = world.Split(0 if self.node.rank == 0 else self.MPI.UNDEFINED)
        self.machine = int(self.node.allreduce(self.rank, self.MPI.MIN))
        self.host = socket.gethostname()
        watchdog.cancel()
        self.lock = threading.Lock()
        """Held for every call of MPI, so that a library without support for several threads does."""
        self.lost: str | None = None
        """Why the job cannot go on: a rank was lost."""
        self.check: Callable[[], None] = lambda: None
        """Called from time to time while waiting; may raise."""
        self.waiting_since: float | None = None
        self.is_in_step = False
        """Whether other ranks are in the middle of a step, and so do not wait for a word."""
        self.hosts: list[str] = []
        self.facts: list[dict[str, Any]] = []
        self.cores = 0
        self.samples: Any = None
        self.held: list[Any] = []
        """What must live as long as the job: windows of shared memory."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._heartbeats, name="cnntrain-heartbeat", daemon=True)
        self.has_heartbeats = self.MPI.Query_thread() >= self.MPI.THREAD_SERIALIZED
        if self.has_heartbeats:
            self._thread.start()

    def gather_facts(self, facts: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the facts of each rank, on every rank."""
        return [self.share(facts, root) for root in range(self.size)]

    def wait(self, request: Any, naps: bool = True) -> None:
        """Wait for an operation.

        Args:
            request: The operation.
            naps: Whether to sleep: for what others may take long to begin. A transfer only lets others run.

        Raises:
            WorkerError: A rank was lost.
        """
        lock, test = self.lock, request.Test
        for _ in range(SPIN_COUNT):
            with lock:
                if test():
                    return
        nap, self.waiting_since = MIN_NAP, time.monotonic()
        try:
            while True:
                with lock:
                    if test():
                        return
                if self.lost is not None:
                    raise WorkerError(self.lost)
                self.check()
                if naps or time.monotonic() - self.waiting_since > TRANSFER_SECONDS:
                    time.sleep(nap)
                    nap = min(1.1 * nap, MAX_NAP)
                else:
                    os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
        finally:
            self.waiting_since = None

    def start(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Start a nonblocking operation."""
        with self.lock:
            return operation(*arguments, **options)

    def say(self, word: int) -> None:
        """Rank 0 sends all others a word."""
        self.wait(self.start(self.comm.Ibcast, np.array([word], np.int64), 0))

    def listen(self) -> int:
        """Wait for the word of rank 0."""
        word = np.zeros(1, np.int64)
        self.wait(self.start(self.comm.Ibcast, word, 0))
        return int(word[0])

    def share(self, value: Any, root: int = 0) -> Any:
        """Return a value of plain JSON types as rank ``root`` has it."""
        content = json.dumps(value).encode() if self.rank == root else b""
        size = np.array([len(content)], np.int64)
        self.wait(self.start(self.comm.Ibcast, size, root))
        buffer = np.frombuffer(content, np.uint8).copy() if self.rank == root else np.empty(int(size[0]), np.uint8)
        self.broadcast(buffer, self.comm, root)
        return json.loads(buffer.tobytes())

    def broadcast(self, array: Array, comm: Any = None, root: int = 0) -> None:
        """Copy a contiguous array of rank ``root`` to that of all others, in pieces."""
        content = array.reshape(-1).view(np.uint8)
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            self.wait(self.start((comm or self.comm).Ibcast, [piece, self.MPI.BYTE], root))

    def _heartbeats(self) -> None:
        peers = range(1, self.size) if self.rank == 0 else [0]
        heard = dict.fromkeys(peers, time.monotonic())
        sent: dict[int, Any] = {}
        beat = min(MAX_BEAT, self.timeout / BEATS)
        last = time.monotonic()
        while not self._ended.wait(beat):
            now = time.monotonic()
            if now - last > 3 * beat:  # this process was stopped itself: look again before others count as silent
                heard = dict.fromkeys(peers, now)
            last = now
            with self.lock:
                if self._ended.is_set():
                    return
                for peer in peers:
                    while self.beats.Iprobe(peer):
                        self.beats.Recv([bytearray(1), self.MPI.BYTE], peer)
                        heard[peer] = now
                    if peer not in sent or sent[peer].Test():
                        sent[peer] = self.beats.Isend([b"!", self.MPI.BYTE], peer)
            silent = [peer for peer in peers if now - heard[peer] > self.timeout - beat]
            if silent and self.lost is None:
                self.lost = self.silence_text(silent)
                # Rank 0 saves what it has, if it can, and says so; without rank 0 there is nothing to save.
                self.exit_later(GRACE if self.rank == 0 else 0.0, self.lost, 7)

    def silence_text(self, silent: list[int]) -> str:
        """Return the sentence on ranks without heartbeats."""
        names = ", ".join(f"{peer} on {self.hosts[peer]}" if self.hosts else str(peer) for peer in silent[:5])
        names += f" and {len(silent) - 5} more" if len(silent) > 5 else ""
        ranks = "rank" if len(silent) == 1 else "ranks"
        return (
            f"{ranks} {names}: no sign of life for {self.timeout:g} s (--timeout): stopped, or the network is cut; the "
            "run is stopped"
        )

    def exit_later(self, seconds: float, message: str, status: int) -> threading.Timer:
        """End this process in some seconds, whatever it is doing then."""

        def leave() -> None:
            if message:
                with suppress(OSError):
                    os.write(2, f"error: {message}\n".encode())
            self.kill_job(status)

        timer = threading.Timer(seconds, leave)
        timer.daemon = True
        timer.start()
        return timer

    def kill_job(self, status: int) -> NoReturn:
        """End all ranks now, with this status; MPI's own way to do that may hang, too."""
        timer = threading.Timer(2.0, os._exit, (status,))
        timer.daemon = True
        timer.start()
        with suppress(Exception):
            self.MPI.COMM_WORLD.Abort(status)
        os._exit(status)

    @classmethod
    def open(cls, launch: Launch, timeout: float) -> "Session":
        """Start MPI; afterwards ``current_session`` returns the job.

        Raises:
            UsageError: See ``load_mpi``.
        """
        session = cls(launch, timeout)
        set_session(session)
        return session

    def close(self, status: int) -> None:
        """End this rank. Rank 0 has the others end, too; where they cannot hear that, it ends the whole job."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.exit_later(GRACE, "", status)
        if self.rank == 0:
            if self.is_in_step or self.lost is not None:
                self.kill_job(status)
            with suppress(WorkerError):
                self.say(END)
        self._ended.set()
        if self.has_heartbeats:
            self._thread.join()
        with suppress(WorkerError):
            self.wait(self.start(self.comm.Ibarrier))  # then nobody sends heartbeats any more
        while self.beats.Iprobe():
            self.beats.Recv([bytearray(1), self.MPI.BYTE])
        self.MPI.Finalize()
