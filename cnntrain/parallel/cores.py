"""The available CPU cores, and the default number of workers."""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from cnntrain.parallel import control_groups

WORTH_SHARING = 3e7
"""Minimum floating-point operations of a batch for which a second worker pays off."""
BUFFER = 2048
"""Numbers in a buffer of NumPy's elementwise operations, by default 8192."""


def available_cores() -> int:
    """Return the cores this process may use, by CPU affinity, cgroup limits and ``OMP_NUM_THREADS``."""
    cores = len(usable_cpus())
    cores = min(cores, thread_limit() or cores)
    quota = cgroup_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def usable_cpus() -> list[int]:
    """Return the numbers of the CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def thread_limit() -> int | None:
    """Return the threads that ``OMP_NUM_THREADS`` asks for (4 for ``4,2``); None if it is not set."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and 0 < len(first) < 10 and int(first) > 0 else None


def cgroup_quota(root: Path = control_groups.ROOT, own: Path = control_groups.OWN) -> float | None:
    """Return the CPU limit of this process's cgroups in cores; None without a limit."""
    quotas = [group_quota(group) for group in control_groups.groups("cpu", root, own)]
    return min((quota for quota in quotas if quota is not None), default=None)


def group_quota(folder: Path) -> float | None:
    """Return the CPU limit of one cgroup in cores: quota / period."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else None  # -1: no limit
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or "max": no limit
        return None


def worker_count(micro_batches: int, operations: float) -> int:
    """Return the number of workers for ``auto``: one per core, at most one per micro-batch, one if a batch is small.

    Args:
        micro_batches: Number of micro-batches in a batch.
        operations: Floating-point operations of a batch, forward and backward.
    """
    return 1 if operations < WORTH_SHARING else max(1, min(available_cores(), micro_batches))


@lru_cache(maxsize=1)
def thread_pools(_modules: int) -> ThreadpoolController:
    """Return the loaded libraries that have threads; to find them takes half a millisecond.

    Args:
        _modules: Number of imported modules: an import may load another library.
    """
    return ThreadpoolController()


@contextmanager
def single_core() -> Iterator[None]:
    """Context for the engine's work on one core.

    BLAS runs single-threaded, so that the bits do not depend on the number of cores. NumPy's buffers are short: since
    NumPy 2.3, an elementwise operation copies strided operands through them if several runs of memory fit in, which
    takes twice as long as the operation itself (measured for runs of 512 numbers and more).
    """
    with thread_pools(len(sys.modules)).limit(limits=1, user_api="blas"):
        before = np.setbufsize(BUFFER)
        try:
            yield
        finally:
            np.setbufsize(before)
