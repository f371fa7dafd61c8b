"""The cores that a process may use, and how many workers a training takes."""

import math
import os
from pathlib import Path

from threadpoolctl import threadpool_limits

WORTH_SHARING = 3e7
"""Floating-point operations of a batch from which on a second worker makes it faster."""


def available_cores() -> int:
    """Cores that this process may really use: CPU affinity and control group limits counted."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores that a container's limit allows (Linux control groups, version 2 or 1); None without a limit."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return float(quota) / float(period) if float(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max"
        return None


def worker_count(slices: int, operations: float) -> int:
    """Workers for ``auto``: a core each, no more than a batch has slices, one where sharing costs more than it brings.

    Args:
        slices: Of a batch.
        operations: Floating-point operations of a batch, forward and backward.
    """
    return 1 if operations < WORTH_SHARING else max(1, min(available_cores(), slices))


def one_blas_thread() -> threadpool_limits:
    """Context in which a product runs on one thread: its bits then never depend on the number of cores."""
    return threadpool_limits(limits=1, user_api="blas")
