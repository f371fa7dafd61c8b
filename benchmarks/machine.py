"""The context of every benchmark: machine, versions and load."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from cnntrain.parallel import available_cores


def machine() -> dict[str, Any]:
    """Processor, system, versions and load; None for what is not installed or not known."""
    blas: dict[str, Any] = next((library for library in threadpool_info() if library["user_api"] == "blas"), {})
    return {
        "processor": processor(),
        "cores": available_cores(),
        "system": system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": " ".join(str(blas.get(key)) for key in ("internal_api", "version", "architecture")),
        "torch": installed("torch"),
        "cnntrain": installed("cnntrain"),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def machine_text() -> str:
    """Return the same on one line."""
    return ", ".join(f"{key} {value}" for key, value in machine().items() if value is not None)


def processor() -> str:
    """Return the name of the CPU."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux
        return platform.processor()


def system() -> str:
    """Name and version of the operating system."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):  # not Linux
        return platform.platform(terse=True)


def installed(package: str) -> str | None:
    """Version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
