"""The MPI job that this process is a rank of, if any; light, since every training asks for it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnntrain.parallel.mpi_session import Session

_sessions: "list[Session]" = []


def current_session() -> "Session | None":
    """Return the MPI job of this process; None if it is not a rank of one."""
    return _sessions[0] if _sessions else None


def set_session(session: "Session") -> None:
    """Make ``current_session`` return a job."""
    _sessions[:] = [session]
