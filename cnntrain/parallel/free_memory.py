"""The memory that this process and its workers may still take: by the computer, control groups and limits."""

import ctypes
import os
import sys
from pathlib import Path

from cnntrain.parallel import control_groups

PROC = Path("/proc")
NO_LIMIT = 2**62
"""A control group of version 1 without a limit says a number as large as that."""


def free_memory(proc: Path = PROC, root: Path = control_groups.ROOT) -> int | None:
    """Return the bytes that this process and others that it starts may take together; None if the system is silent."""
    groups = [group_headroom(group) for group in control_groups.groups("memory", root, proc / "self" / "cgroup")]
    found = [room for room in (machine_memory(proc), *groups) if room is not None]
    return max(0, min(found)) if found else None


def machine_memory(proc: Path = PROC) -> int | None:
    """Return the bytes that are free on this computer, or all that it has where nothing else is known."""
    facts = kilobytes(proc / "meminfo")
    if "MemAvailable" in facts:
        return facts["MemAvailable"] + facts.get("SwapFree", 0)
    if sys.platform == "win32":
        # MEMORYSTATUSEX: its length, a percentage, then eight numbers of bytes, of which the second is what is free.
        status = (ctypes.c_uint64 * 8)()
        ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
        return int(status[2]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def group_headroom(group: Path) -> int | None:
    """Return the bytes that a control group leaves: its limit less what it has taken and could not drop."""
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
    """Return the bytes that this process may still take by itself (``ulimit -v`` and ``-d``); None without a limit."""
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
    """Return the bytes that this process has in memory; 0 where the system does not say."""
    return kilobytes(proc / "self" / "status").get("VmRSS", 0)


def kilobytes(path: Path) -> dict[str, int]:
    """Return the lines ``name:  number kB`` of a file, in bytes; nothing where there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:  # not Linux
        return {}
    return {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines if line.endswith(" kB")}
