"""The cgroups of this process, which hold the limits of its container or job (Linux, cgroups v2 and v1)."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def groups(controller: str, root: Path = ROOT, own: Path = OWN) -> Iterator[Path]:
    """Yield the folder of each cgroup that limits this process: its own and its parents.

    A container often sees its own cgroup as the root; elsewhere every cgroup up to the root applies.

    Args:
        controller: The controller, such as ``cpu``; cgroups v1 has one hierarchy for each.
        root: Where cgroups are mounted.
        own: File that lists the cgroups of this process.
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
