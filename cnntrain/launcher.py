"""Which MPI launcher started this process, and as which of how many ranks: from the environment, without MPI."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

VARIABLES = (
    ("Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("MPICH or Intel MPI", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"),
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"),
)
"""Launcher, and its variables for the number of ranks, the rank, and the rank on its machine.

``srun --mpi=pmi2`` sets those of PMI, too. ``SLURM_NTASKS`` means nothing: a batch script has it without ``srun``.
"""

TIMEOUT = 300.0
"""Default seconds without a sign of life of a rank after which a job ends."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One process among several that a launcher started."""

    launcher: str
    size: int
    """Number of ranks."""
    rank: int
    local_rank: int
    """Number among the ranks of this machine."""

    @property
    def command(self) -> str:
        """The launcher's command, for messages."""
        return "srun" if self.launcher == "srun" else "mpiexec"


def launched(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """Return how a launcher started this process among others; None for a process on its own."""
    for launcher, *names in VARIABLES:
        size, rank, local_rank = (_number(environment.get(name, "")) for name in names)
        if size is not None and rank is not None:
            if size < 2:
                return None
            return Launch(launcher, size, rank, rank if local_rank is None else local_rank)
    return None


def end_job(status: int, environment: Mapping[str, str] = os.environ) -> None:
    """Have the launcher end all ranks, from a rank on which MPI has not started; Open MPI does that anyway.

    MPICH's launcher listens at ``PMI_FD`` for a line of the process management interface (PMI-1).
    """
    file = _number(environment.get("PMI_FD", ""))
    if file is not None:
        with suppress(OSError):
            os.write(file, b"cmd=abort exitcode=%d\n" % status)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
