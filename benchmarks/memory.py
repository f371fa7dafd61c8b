"""Peak memory of ``cnntrain train``: the sum over all its processes, with shared pages counted once.

    python benchmarks/memory.py CONFIG [KEY=VALUE ...] [--workers N] [--json]

Linux only: the kernel reports the proportional share of each process (``Pss`` in
``/proc/PID/smaps_rollup``), which counts half of a page that two processes share.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine, machine_text

PAUSE = 0.05
"""Seconds between two measurements."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the memory of a training.")
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="replace values of the config")
    parser.add_argument("--workers", default="auto", metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        sys.exit("memory.py reads /proc/PID/smaps_rollup, which this system does not have; Linux has it since 4.14")
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", str(Path(folder) / "run"), "--workers", args.workers, "--progress", "none"]
        words = [sys.executable, "-m", "cnntrain", "train", str(args.config), *args.overrides, *out]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(proportional_bytes(pid) for pid in family(process.pid)))
            time.sleep(PAUSE)
    if process.returncode:
        sys.exit(process.returncode)
    if args.json:
        print(json.dumps({"machine": machine(), "peak_bytes": peak}))
    else:
        print(machine_text())
        print(f"{args.config}: at most {peak / 1e6:.0f} MB")


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:  # it has just ended
        return []
    return [pid, *(other for child in children for other in family(child))]


def proportional_bytes(pid: int) -> int:
    """Return the proportional memory of one process in bytes."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):  # it has just ended
        return 0


if __name__ == "__main__":
    main()
