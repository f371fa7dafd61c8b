"""Which of OpenBLAS's kernels NumPy's matrix products run on; to be settled before NumPy is imported.

OpenBLAS looks at the processor when it is loaded. On AMD's Zen 4 and 5 it takes its AVX2 kernels (as of 0.3.31), though
these cores have AVX-512 and run the kernels made for it up to twice as fast. The environment variable
``OPENBLAS_CORETYPE`` names others; one that the user has set is left alone.
"""

import os
import sys
from pathlib import Path

NEEDED = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
"""What the kernels called SkylakeX use."""


def prefer_avx512(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Ask for the AVX-512 kernels on an AMD processor that can run them, if NumPy is not loaded yet."""
    if "numpy" in sys.modules or "OPENBLAS_CORETYPE" in os.environ:
        return
    try:
        with cpuinfo.open() as file:
            processor = file.read(8192).split("\n\n")[0]
    except OSError:  # not Linux
        return
    facts = dict(line.split(":", 1) for line in processor.splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    if facts.get("vendor_id") == "AuthenticAMD" and set(facts.get("flags", "").split()) >= NEEDED:
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
