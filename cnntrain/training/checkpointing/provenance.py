"""What the last bits of a run depend on beside its config and data: the program, and the libraries it computes with."""

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import numpy as np

import cnntrain
from cnntrain.data.image_folder.decoder_versions import libraries
from cnntrain.ops.matmul import kernels

SHOWN_ONLY = ("cli", "judging", "exporting")
"""Parts of the package that no weight depends on, but for what is in ``DECIDING``."""
DECIDING = ("evaluation/scoring.py",)
"""The loss that these compute decides which weights are the best, when patience ends, and where a rollback goes to."""


@cache
def provenance() -> dict[str, str]:
    """Names of what is at work, and which version of each."""
    return {
        "cnntrain": version("cnntrain"),
        "the code of cnntrain": code_digest(),
        "NumPy": np.__version__,
        "the BLAS kernels": kernels() or "unknown",
        **libraries(),
    }


def code_digest(root: Path = Path(cnntrain.__file__).parent) -> str:
    """Digest of the package's source: an installation in place may change without its version."""
    total = blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if name.parts[0] not in SHOWN_ONLY or name.as_posix() in DECIDING:
            total.update(path.read_bytes())
    return total.hexdigest()


def changes(before: dict[str, str]) -> list[str]:
    """Say in words what is another now."""
    now = provenance()
    computing = [name for name in now if name not in libraries()]  # what decodes shows in the images alone
    return [
        f"{name} was {before.get(name, 'unknown')} and is {now[name]}"
        for name in computing
        if now[name] != before.get(name)
    ]


def other_data(where: Path, before: dict[str, str], differing: Sequence[str]) -> str:
    """Say that a run cannot use its data, for they differ, and what decoded images otherwise where that may be why.

    Args:
        where: The run's folder.
        before: The origin of its checkpoint.
        differing: In which parts, as ``data.fingerprint.differences`` says.
    """
    text = f"{where}: the data are not those that this run began with: {', '.join(differing)}"
    now = libraries()
    others = [name for name in now if name in before and now[name] != before[name]]
    if not others or not all(part.endswith("images differ") for part in differing):
        return text
    was = " and ".join(f"{name} was {before[name]} and is {now[name]}" for name in others)
    earlier = " and ".join(f"{name} {before[name]}" for name in others)
    return f"{text}; {was}, and may decode image files to other pixels; install {earlier} again to resume"
