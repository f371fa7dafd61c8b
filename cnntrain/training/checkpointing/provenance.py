"""What the bits of a run depend on besides its config and data: the code, and the libraries that compute."""

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import numpy as np

import cnntrain
from cnntrain.data.image_folder.decoder_versions import libraries
from cnntrain.ops.matmul import kernels

EXCLUDED_PACKAGES = (
    "autoconfig",
    "cli",
    "evaluation",
    "explain",
    "gradient_check",
    "inference",
    "onnx_export",
    "profiling",
    "report_page",
    "run_diff",
    "runs",
    "sanity_checks",
    "textbook",
)
"""Packages that no weight depends on, except for ``INCLUDED_MODULES``."""
INCLUDED_MODULES = ("evaluation/scoring.py",)
"""The losses that these compute select the best weights, trigger early stopping and determine rollbacks."""


@cache
def provenance() -> dict[str, str]:
    """Return the version of each component that a run depends on."""
    return {
        "cnntrain": version("cnntrain"),
        "the code of cnntrain": code_digest(),
        "NumPy": np.__version__,
        "the BLAS kernels": kernels() or "unknown",
        **libraries(),
    }


def code_digest(root: Path = Path(cnntrain.__file__).parent) -> str:
    """Return a digest of the source code: an editable installation may change without a new version."""
    total = blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if name.parts[0] not in EXCLUDED_PACKAGES or name.as_posix() in INCLUDED_MODULES:
            total.update(path.read_bytes())
    return total.hexdigest()


def changes(before: dict[str, str]) -> list[str]:
    """Return a sentence for each component that has changed."""
    now = provenance()
    computing = [name for name in now if name not in libraries()]  # decoders only matter through the images
    return [
        f"{name} was {before.get(name, 'unknown')} and is {now[name]}"
        for name in computing
        if now[name] != before.get(name)
    ]


def data_mismatch(run: Path, before: dict[str, str], differing: Sequence[str], features: bool = False) -> str:
    """Return a sentence on data that are not those of a run, with the image decoder named if it may be the cause.

    Args:
        run: Run folder.
        before: Provenance in the run's checkpoint.
        differing: What differs, as returned by ``data.fingerprint.differences``.
        features: Whether the data are features, computed by a backbone.
    """
    text = f"{run}: the data are not those that this run started with: {', '.join(differing)}"
    now = libraries()
    changed = [name for name in now if name in before and now[name] != before[name]]
    if not all(part.endswith("images differ") for part in differing):
        return text
    if features:
        text += (
            "; if they were not changed, their features were computed with another version of ONNX Runtime or on "
            "another kind of processor, which round differently"
        )
    if not changed:
        return text
    was = " and ".join(f"{name} was {before[name]} and is {now[name]}" for name in changed)
    earlier = " and ".join(f"{name} {before[name]}" for name in changed)
    return f"{text}; {was}, and may decode images to different pixels; install {earlier} again to resume"
