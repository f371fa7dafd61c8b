"""What a run was made with: versions, processor, cores. No names of people or computers."""

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from cnntrain.parallel import available_cores

_NAME = re.compile(r"[\w.-]+")


def environment() -> dict[str, Any]:
    """Return what ``environment.json`` of a run folder holds; what cannot be found out is None."""
    import numpy  # its libraries are what threadpoolctl finds

    return {
        "cnntrain": version("cnntrain"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": numpy.__version__,
        "blas": [
            {"name": library["internal_api"], "version": library["version"], "kernels": library.get("architecture")}
            for library in threadpool_info()
            if library["user_api"] == "blas"
        ],
        "packages": packages(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": available_cores(),
        "cores_of_machine": os.cpu_count(),
        "memory_bytes": memory(),
    }


def packages() -> dict[str, str]:
    """Versions of the packages that cnntrain needs, without extras."""
    found = {}
    for requirement in requires("cnntrain") or ():
        name = _NAME.match(requirement)
        if name and "extra ==" not in requirement:
            try:
                found[name[0]] = version(name[0])
            except PackageNotFoundError:
                continue
    return found


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """The processor's name; elsewhere than on Linux only its family may be known."""
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text("utf-8", "replace"), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine() or None


def memory() -> int | None:
    """Bytes of memory that the machine has."""
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
