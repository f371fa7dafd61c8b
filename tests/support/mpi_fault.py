"""The command cnntrain as an MPI rank, with a fault: ``python mpi_fault.py FAULT RANK AFTER train ...``.

After some micro-batches the rank raises, exits, or gets a signal. The fault ``no-file`` has ranks without files of
decoded images, as on another machine, and ``other-numpy`` one that reports another version of NumPy.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnntrain.cli.app import main

if TYPE_CHECKING:
    from cnntrain.parallel.mpi_session import Session

FAULT, RANK, AFTER = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def fail() -> None:
    """Fail, and leave the time in the file CNNTRAIN_FAULT_FILE."""
    if os.environ.get("CNNTRAIN_FAULT_FILE"):
        Path(os.environ["CNNTRAIN_FAULT_FILE"]).write_text(str(time.time()))
    if FAULT == "raise":
        raise ValueError("injected")
    if FAULT == "exit":
        sys.exit(5)
    if FAULT == "memory":
        raise MemoryError
    os.kill(os.getpid(), getattr(signal, FAULT))


def inject() -> None:
    if FAULT == "no-file":
        from cnntrain.training import mpi_data

        mpi_data.same_file = lambda place: None
        return
    if FAULT == "other-numpy":
        from cnntrain.training import mpi_notes

        own_facts = mpi_notes.facts

        def other_facts(session: Session) -> dict[str, Any]:
            facts: dict[str, Any] = own_facts(session)
            return facts | {"versions": facts["versions"] | {"NumPy": "0.1"}}

        mpi_notes.facts = other_facts
        return
    from cnntrain.training.samples import TrainingSamples

    load, calls = TrainingSamples.load, 0

    def failing(self: TrainingSamples, *words: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == AFTER:
            fail()
        return load(self, *words)

    setattr(TrainingSamples, "load", failing)  # noqa: B010


if __name__ == "__main__":
    sys.argv = ["cnntrain", *sys.argv[4:]]
    if os.environ.get("PMI_RANK") == str(RANK):
        inject()
    main()
