"""Wall time of commands that compute little, mostly startup.

    python benchmarks/startup.py [--rounds 5] [--commands help summary] [--json]

Each command is a new process, timed from start to end, in turns with the others. From the second round on, its files
are in the page cache, and Python has compiled its modules, also where ``PYTHONDONTWRITEBYTECODE`` is set.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from machine import machine, machine_text

DIGITS = str(Path(__file__).parent.parent / "configs" / "digits.yaml")
COMMANDS = {
    "python": ("python -c pass", ["-c", "pass"]),
    "numpy": ('python -c "import numpy"', ["-c", "import numpy"]),
    "import": ('python -c "import cnntrain"', ["-c", "import cnntrain"]),
    "help": ("cnntrain --help", ["-m", "cnntrain", "--help"]),
    "summary": ("cnntrain summary configs/digits.yaml", ["-m", "cnntrain", "summary", DIGITS]),
    "no-plots": (
        "cnntrain train configs/digits.yaml --no-plots",
        ["-m", "cnntrain", "train", DIGITS, "--no-plots"],
    ),
    "train": ("cnntrain train configs/digits.yaml", ["-m", "cnntrain", "train", DIGITS]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time whole commands.")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each command")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in args.commands}
    for _ in range(args.rounds):
        for name, turns in seconds.items():
            turns.append(time_command(COMMANDS[name][1]))
    medians = {COMMANDS[name][0]: median(turns) for name, turns in seconds.items()}
    if args.json:
        print(json.dumps({"machine": machine(), "seconds": medians}))
        return
    print(machine_text())
    for shown, value in medians.items():
        print(f"{shown:45} {value:6.3f} s")


def time_command(words: list[str]) -> float:
    """Seconds of ``python WORDS`` in a folder of its own."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, check=True)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
