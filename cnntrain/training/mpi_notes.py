"""What a user should know of the ranks of an MPI job before training begins."""

from collections.abc import Iterator

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data
from cnntrain.errors import UsageError
from cnntrain.network.network import Network
from cnntrain.parallel.cores import cgroup_quota, usable_cpus
from cnntrain.parallel.mpi_session import Session
from cnntrain.training.checkpointing.provenance import provenance
from cnntrain.training.sharing import max_processes

CODE = ("cnntrain", "the code of cnntrain")
"""Components in which all ranks must agree."""
COMPUTING = ("NumPy", "the BLAS kernels", "the SIMD instructions")
"""Components that decide the last bits."""


def exchange_facts(session: Session) -> None:
    """Have every rank know what each one runs on.

    Raises:
        UsageError: The ranks do not run the same program.
    """
    session.facts = session.gather_facts(facts(session))
    session.hosts = [each["host"] for each in session.facts]
    session.cores = sum(cores_of(session, ranks) for ranks in machines(session).values())
    check_code(session)


def machines(session: Session) -> dict[int, list[int]]:
    """Return the ranks of each machine, by its first rank."""
    found: dict[int, list[int]] = {}
    for rank, facts in enumerate(session.facts):
        found.setdefault(facts["machine"], []).append(rank)
    return found


def cores_of(session: Session, ranks: list[int]) -> int:
    """Return the cores that the ranks of a machine may use together."""
    cpus = {cpu for rank in ranks for cpu in session.facts[rank]["cpus"]}
    quotas = [session.facts[rank]["quota"] for rank in ranks]
    return max(1, min([len(cpus), *(int(quota + 0.999) for quota in quotas if quota is not None)]))


def check_code(session: Session) -> None:
    """Check that all ranks run the same program.

    Raises:
        UsageError: They do not.
    """
    first = session.facts[0]
    for rank, facts in enumerate(session.facts):
        for name in CODE:
            if facts["versions"][name] != first["versions"][name]:
                raise UsageError(
                    f"rank {rank} on {facts['host']} has another version of cnntrain than rank 0 on {first['host']} "
                    f"({name}: {facts['versions'][name]}, {first['versions'][name]}); install the same one everywhere"
                )


def rank_notes(session: Session, config: Config, network: Network, data: Data) -> Iterator[str]:
    """Yield warnings about the ranks."""
    first = session.facts[0]
    for name in COMPUTING:
        other = next((each for each in session.facts if each["versions"][name] != first["versions"][name]), None)
        if other is not None:
            yield (
                f"{name} of the ranks differ: {first['versions'][name]} on {first['host']}, {other['versions'][name]} "
                f"on {other['host']}; the last bits of the result then depend on the number of ranks"
            )
    for ranks in machines(session).values():
        cores = cores_of(session, ranks)
        if len(ranks) > cores:
            yield (
                f"{len(ranks)} ranks share {'1 core' if cores == 1 else f'{cores} cores'} on "
                f"{session.hosts[ranks[0]]}: they wait for each other, and {cores} would be faster"
            )
    processes = max_processes(config, network, data)
    if session.size > processes:
        micro_batches = "1 micro-batch" if processes == 1 else f"{processes} micro-batches"
        yield (
            f"a batch is {micro_batches}: {session.size - processes} of {session.size} ranks have nothing to do in a "
            "step; a larger training.batch_size feeds more"
        )
    if config.training.workers != "auto":
        yield f"training.workers: {config.training.workers} is not used: there are {session.size} MPI ranks"
    if not session.has_heartbeats:
        yield "this MPI library supports no threads: a rank that hangs is not noticed (--timeout has no effect)"


def facts(session: Session) -> dict[str, object]:
    """Return what this rank runs on, as plain JSON types."""
    return {
        "host": session.host,
        "machine": session.machine,
        "cpus": usable_cpus(),
        "quota": cgroup_quota(),
        "versions": provenance() | {"the SIMD instructions": simd()},
    }


def simd() -> str:
    """Return the widest vector instructions that NumPy uses on this processor."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return found[-1] if found else "baseline"
