"""The cores that a process may use, and how many of them a matrix product takes."""

import os

from threadpoolctl import threadpool_limits


def available_cores() -> int:
    """Cores that this process may really run on, its CPU affinity counted."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_blas_thread() -> threadpool_limits:
    """Context in which a product runs on one thread: its bits then never depend on the number of cores."""
    return threadpool_limits(limits=1, user_api="blas")
