"""The cores that a process may use, and how many workers a training takes."""

import math
import os
from pathlib import Path

from threadpoolctl import threadpool_limits

from cnntrain.parallel import control_groups

WORTH_SHARING = 3e7
"""Floating-point operations of a batch from which on a second worker makes it faster."""


def available_cores() -> int:
    """Cores that this process may really use: CPU affinity, control group limits and ``OMP_NUM_THREADS`` counted."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(cores, thread_limit() or cores)
    quota = cgroup_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def thread_limit() -> int | None:
    """Return how many threads the environment variable ``OMP_NUM_THREADS`` asks for: 4 of ``4,2``; None without it."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and 0 < len(first) < 10 and int(first) > 0 else None


def cgroup_quota(root: Path = control_groups.ROOT, own: Path = control_groups.OWN) -> float | None:
    """Cores that the limits of this process's control groups allow; None without a limit."""
    quotas = [group_quota(group) for group in control_groups.groups("cpu", root, own)]
    return min((quota for quota in quotas if quota is not None), default=None)


def group_quota(folder: Path) -> float | None:
    """Cores that one group may use: microseconds of work by microseconds of time."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else None  # -1: no limit
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or "max": no limit
        return None


def worker_count(micro_batches: int, operations: float) -> int:
    """Workers for ``auto``: a core each, no more than a batch has slices, one where sharing costs more than it brings.

    Args:
        slices: Of a batch.
        operations: Floating-point operations of a batch, forward and backward.
    """
    return 1 if operations < WORTH_SHARING else max(1, min(available_cores(), micro_batches))


def one_blas_thread() -> threadpool_limits:
    """Context in which a product runs on one thread: its bits then never depend on the number of cores."""
    return threadpool_limits(limits=1, user_api="blas")
