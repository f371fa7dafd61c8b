"""mpi4py and its MPI library, checked against the launcher before MPI starts: else each rank would train alone."""

import socket
from typing import Any

from cnntrain.errors import UsageError
from cnntrain.launcher import Launch


def load_mpi(launch: Launch) -> Any:
    """Return the module ``mpi4py.MPI``, before MPI is initialized.

    Raises:
        UsageError: mpi4py or an MPI library is missing, or the library is not that of the launcher.
    """
    started = f"{launch.command} started {launch.size} ranks"
    try:
        import mpi4py
    except ImportError:
        raise UsageError(f"{started}, which needs mpi4py: pip install 'cnntrain[mpi]'{on_host(launch)}") from None
    mpi4py.rc.initialize = mpi4py.rc.finalize = False
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{started}, but mpi4py finds no MPI library ({reason}); load your cluster's MPI, or pip install mpich"
            f"{on_host(launch)}"
        ) from None
    vendor = MPI.get_vendor()[0]
    if launch.launcher != "srun" and (launch.launcher == "Open MPI") != (vendor == "Open MPI"):
        raise UsageError(
            f"{started}, and belongs to {launch.launcher}, but mpi4py uses {vendor}; {library_advice(launch)}"
        )
    return MPI


def library_advice(launch: Launch) -> str:
    """Return what to do if launcher and library do not belong together."""
    if launch.launcher == "srun":
        return "use srun --mpi=pmix or --mpi=pmi2, whichever the library supports"
    return "use the mpiexec of that library, or reinstall mpi4py for the other one"


def on_host(launch: Launch) -> str:
    """Return where that is, if it may be another machine than the user's."""
    return "" if launch.rank == 0 else f" (on {socket.gethostname()})"
