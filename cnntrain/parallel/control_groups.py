"""The control groups of this process, whose limits are those of its container or its job (Linux, version 2 or 1)."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def groups(controller: str, root: Path = ROOT, own: Path = OWN) -> Iterator[Path]:
    """Yield the folder of each group that limits this process: its own, and those around it.

    A container often sees its own group as the root of all; elsewhere every group up to the root has its say.

    Args:
        controller: Such as ``cpu``; version 1 has a tree of groups for each.
        root: Where the groups are.
        own: Names those of this process.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controller if controllers else root
        group = top / path.lstrip("/")
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top))
