"""Ranks as MPI processes, on one machine or many, each with a theta of its own."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, final

import numpy as np

from cnntrain.errors import DivergedError
from cnntrain.parallel.communicator import BLOCK, Communicator, VectorParts, blocks
from cnntrain.parallel.mpi_session import COLLECT, END, GO, STOP, JobEnded, Session
from cnntrain.parallel.summation_tree import combination, share
from cnntrain.types import Array


def starts(counts: Sequence[int]) -> list[int]:
    """Return where each part begins, side by side."""
    return [0, *np.cumsum(counts)[:-1].tolist()]


@final
class Mpi(Communicator):
    """One rank of an MPI job.

    A rank sends each other rank the part of its subtrees that the other one sums: one gradient in all if the number of
    ranks is a power of two. Losses are summed by ``Iallreduce``: every entry is x + 0 + 0 ..., exact in any order;
    gradients never are, since MPI may add them in any order.

    Args:
        session: The MPI job.
        layout: Layout of theta.
        theta: theta of this rank's network.
        rows: Rows of ``states``.
    """

    def __init__(self, session: Session, layout: VectorParts, theta: Array, rows: int):
        super().__init__(layout, theta.dtype, session.rank, session.size)
        self.session, self.theta = session, theta
        self.real = session.MPI.FLOAT if theta.dtype == np.float32 else session.MPI.DOUBLE
        whole = [blocks(layout.size) * rank // self.size for rank in range(self.size + 1)]
        self.bounds = [min(layout.size, block * BLOCK) for block in whole]
        self.counts = np.diff(self.bounds).tolist()
        self.block_counts = np.diff(whole).tolist()
        self.part = slice(self.bounds[self.rank], self.bounds[self.rank + 1])
        self.states, self.squares = np.zeros((rows, layout.size), theta.dtype), np.zeros(blocks(layout.size))
        self.scores: dict[int, tuple[float, int]] = {}
        self.send, self.receive = np.empty(0, theta.dtype), np.empty(0, theta.dtype)

    def lock_step(self) -> AbstractContextManager[object]:
        return _LockStep(self)

    def proceed(self) -> bool:
        if self.rank == 0:
            self.session.say(GO)
            self.session.is_in_step = True
            return True
        while (word := self.session.listen()) == COLLECT:
            self.gather_states()
        if word == END:
            raise JobEnded
        return word == GO

    def pause(self) -> None:
        self.session.is_in_step = False

    def collect(self) -> None:
        """Rank 0 gets the whole optimizer state."""
        if len(self.states):
            self.session.say(COLLECT)
            self.gather_states()

    def gather_states(self) -> None:
        """Do this rank's part of ``collect``."""
        session = self.session
        for row in self.states:
            if self.rank == 0:
                into = [row, self.counts, self.bounds[:-1], self.real]
                request = session.start(session.comm.Igatherv, session.MPI.IN_PLACE, into, 0)
            else:
                request = session.start(session.comm.Igatherv, [row[self.part], self.real], None, 0)
            session.wait(request)

    def record(self, i: int, loss: float, correct: int) -> None:
        self.scores[i] = loss, correct

    def reduce_scatter(self, count: int) -> tuple[Array, float, int]:
        totals = self.allreduce(count)
        shares = [share(count, rank, self.size) for rank in range(self.size)]
        mine, n = len(shares[self.rank].subtrees), self.counts[self.rank]
        # Of my subtrees, the part of each other rank; mine stays here.
        counts = [0 if rank == self.rank else mine * part for rank, part in enumerate(self.counts)]
        if mine == 1:
            send, at = self.rows[0], self.bounds[:-1]
        else:
            self.send = send = self._buffer(self.send, sum(counts))
            at = starts(counts)
            for rank, begin in enumerate(at):
                for row in range(mine if counts[rank] else 0):
                    each = self.rows[row][self.bounds[rank] : self.bounds[rank + 1]]
                    send[begin + row * len(each) : begin + (row + 1) * len(each)] = each
        sizes = [0 if rank == self.rank else n * len(each.subtrees) for rank, each in enumerate(shares)]
        self.receive = self._buffer(self.receive, sum(sizes))
        froms = starts(sizes)
        self._transfer(
            self.session.comm.Ialltoallv,
            [send, counts, at, self.real],
            [self.receive, sizes, froms, self.real],
        )
        stack: list[Array] = []
        for (rank, row), additions in zip(*combination(count, self.size), strict=True):
            begin = froms[rank] + row * n
            stack.append(self.rows[row][self.part] if rank == self.rank else self.receive[begin : begin + n])
            for _ in range(additions):
                last = stack.pop()
                stack[-1] += last
        return stack[0], *totals

    def allgather(self) -> None:
        self._transfer(
            self.session.comm.Iallgatherv,
            self.session.MPI.IN_PLACE,
            [self.theta, self.counts, self.bounds[:-1], self.real],
        )

    def share_squares(self) -> None:
        self._transfer(
            self.session.comm.Iallgatherv,
            self.session.MPI.IN_PLACE,
            [self.squares, self.block_counts, starts(self.block_counts), self.session.MPI.DOUBLE],
        )

    def allreduce(self, count: int) -> tuple[float, int]:
        scores = np.zeros((2, count))
        for i in self.micro_batches(count):
            scores[:, i] = self.scores[i]
        session = self.session
        session.wait(session.start(session.comm.Iallreduce, session.MPI.IN_PLACE, scores))
        return math.fsum(scores[0].tolist()), int(scores[1].sum())

    def _transfer(self, operation: Any, *buffers: Any) -> None:
        """Exchange data when all ranks are ready."""
        self.session.wait(self.session.start(operation, *buffers), naps=False)

    def _buffer(self, buffer: Array, size: int) -> Array:
        return buffer if len(buffer) >= size else np.empty(size, self.dtype)


class _LockStep(AbstractContextManager[None]):
    """The time in which all ranks run the training loop; rank 0 has the others begin and end it."""

    def __init__(self, comm: Mpi):
        self.comm = comm

    def __enter__(self) -> None:
        if self.comm.rank == 0:
            self.comm.proceed()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session = self.comm.session
        if kind is GeneratorExit and self.comm.rank == 0 and not session.is_in_step:  # the caller stops here
            session.say(STOP)
        elif kind is None or issubclass(kind, DivergedError):  # on all ranks
            session.is_in_step = False
