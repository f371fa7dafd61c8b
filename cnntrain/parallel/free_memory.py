"""The memory still available to this process and its workers: free memory, cgroups and ulimits."""

import ctypes
import os
import sys
from pathlib import Path

from cnntrain.parallel import control_groups

PROC = Path("/proc")
NO_LIMIT = 2**62
"""cgroups v1 reports numbers at least this large if there is no limit."""


def free_memory(proc: Path = PROC, root: Path = control_groups.ROOT) -> int | None:
    """Return the bytes that this process and its children may still allocate; None if unknown."""
    headroom = [group_headroom(group) for group in control_groups.groups("memory", root, proc / "self" / "cgroup")]
    found = [limit for limit in (machine_memory(proc), *headroom) if limit is not None]
    return max(0, min(found)) if found else None


def machine_memory(proc: Path = PROC) -> int | None:
    """Return the free bytes of this machine, or its total memory if that is all the system reports."""
    facts = kilobytes(proc / "meminfo")
    if "MemAvailable" in facts:
        return facts["MemAvailable"] + facts.get("SwapFree", 0)
    if sys.platform == "win32":
        # MEMORYSTATUSEX: its length, a percentage, then byte counts; the second one is the free memory.
        status = (ctypes.c_uint64 * 8)()
        ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
        return int(status[2]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def group_headroom(group: Path) -> int | None:
    """Return the bytes left in a cgroup: its limit minus its usage without reclaimable cache."""
    for limit, taken, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, used = (int((group / name).read_text()) for name in (limit, taken))
            lines = (group / "memory.stat").read_text().splitlines()
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
        droppable = sum(int(line.split()[1]) for line in lines if line.split()[:1] == [cached])
        return most - used + droppable if most < NO_LIMIT else None
    return None


def process_memory(proc: Path = PROC) -> int | None:
    """Return the bytes left by this process's own limits (``ulimit -v`` and ``-d``); None without a limit."""
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    facts = kilobytes(proc / "self" / "status")
    found = []
    for kind, taken in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY and taken in facts:
            found.append(max(0, limit - facts[taken]))
    return min(found, default=None)


def resident_memory(proc: Path = PROC) -> int:
    """Return the resident memory of this process in bytes; 0 if unknown."""
    return kilobytes(proc / "self" / "status").get("VmRSS", 0)


def kilobytes(path: Path) -> dict[str, int]:
    """Parse lines ``name:  number kB`` of a file to bytes; empty if the file is missing."""
    try:
        lines = path.read_text().splitlines()
    except OSError:  # not Linux
        return {}
    return {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines if line.endswith(" kB")}
