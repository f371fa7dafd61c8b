"""The environment of a run: versions, processor, cores. No names of people or computers."""

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
    """Return the content of ``environment.json``; None stands for unknown values."""
    import numpy  # loads the BLAS libraries that threadpoolctl lists

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
    """Return the versions of the packages that cnntrain requires, extras not included."""
    versions = {}
    for requirement in requires("cnntrain") or ():
        name = _NAME.match(requirement)
        if name and "extra ==" not in requirement:
            try:
                versions[name[0]] = version(name[0])
            except PackageNotFoundError:
                continue
    return versions


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return the name of the processor; only its family may be known outside of Linux."""
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text("utf-8", "replace"), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine() or None


def memory() -> int | None:
    """Return the physical memory of the machine in bytes."""
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None
