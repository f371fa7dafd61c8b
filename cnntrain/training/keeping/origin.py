"""What the last bits of a run depend on beside its config and data: the program, and the libraries it computes with."""

from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import numpy as np

import cnntrain
from cnntrain.ops.products import kernels

SHOWN_ONLY = ("cli", "judging", "exporting")
"""Parts of the package that no weight depends on, but for what is in ``DECIDING``."""
DECIDING = ("judging/scoring.py",)
"""The loss that these compute decides which weights are the best, when patience ends, and where a rollback goes to."""


@cache
def origin() -> dict[str, str]:
    """Names of what is at work, and which version of each."""
    return {
        "cnntrain": version("cnntrain"),
        "the code of cnntrain": code(),
        "NumPy": np.__version__,
        "the BLAS kernels": kernels() or "unknown",
    }


def code(root: Path = Path(cnntrain.__file__).parent) -> str:
    """Digest of the package's source: an installation in place may change without its version."""
    total = blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if name.parts[0] not in SHOWN_ONLY or name.as_posix() in DECIDING:
            total.update(path.read_bytes())
    return total.hexdigest()


def changes(before: dict[str, str]) -> list[str]:
    """Say in words what is another now."""
    now = origin()
    return [
        f"{name} was {before.get(name, 'unknown')} and is {now[name]}" for name in now if now[name] != before.get(name)
    ]
