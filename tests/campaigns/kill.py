"""Kill runs at random moments, go on with them, and compare what they come to with a run that nothing disturbed.

::

    python tests/campaigns/kill.py --kills 200 --workers 2 configs/digits.yaml training.Max=60

Each kill is a SIGKILL of the first process or of one of its workers. The number of workers changes from start to start
if several are given: ``--workers 1,2``. Linux only.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from cnntrain.cli.app import app

FIT = import_module("cnntrain.training.fit")  # once, before processes are forked

SAME = ("weights.safetensors", "best.safetensors")
WAIT = 120
"""Seconds after which a process counts as hung."""


class Campaign:
    """Runs of one config.

    Args:
        words: The config and what overrides it.
        workers: Numbers of workers, taken in turn.
        seed: Of the moments and victims.
        folder: Where the runs go.
    """

    def __init__(self, words: list[str], workers: list[int], seed: int, folder: Path):
        self.words, self.workers, self.folder = words, workers, folder
        self.rng = random.Random(seed)
        self.log = folder / "log.txt"
        self.starts = 0

    def start(self, run: Path) -> int:
        """Begin a run, or go on with it, in a process of its own; return its number."""
        self.starts += 1
        workers = str(self.workers[self.starts % len(self.workers)])
        words = ["resume", str(run)] if (run / "config.yaml").exists() else ["train", *self.words, "--out", str(run)]
        process = os.fork()
        if process:
            return process
        os.setsid()
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 1
        with suppress(SystemExit):
            try:
                app([*words, "--workers", workers, "--progress", "none"])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
                raise
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        return 0

    def wait(self, process: int, seconds: float) -> int | None:
        """Wait until a process has ended, or so long; return its status, None if it runs on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        return None

    def kill(self, process: int) -> str | None:
        """Kill a process or one of its workers; say which, None if it had ended before the signal came."""
        workers = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        victim = self.rng.choice([process, *map(int, workers)])
        os.kill(victim, signal.SIGKILL)
        status = self.wait(process, WAIT)
        if status == 0:
            return None
        if status != (-9 if victim == process else 7):
            raise RuntimeError(f"status {status} after a kill; see {self.log}")
        return "first process" if victim == process else "worker"

    def undisturbed(self) -> float:
        """Run to the end; return the seconds it took."""
        began = time.monotonic()
        status = self.wait(self.start(self.folder / "undisturbed"), 60 * WAIT)
        if status != 0:
            raise RuntimeError(f"status {status} of the undisturbed run; see {self.log}")
        return time.monotonic() - began

    def run(self, kills: int) -> dict[str, int]:
        """Kill so often; return how often what was killed, and how many runs came to the right end."""
        longest = self.undisturbed() / 2
        counts = {"first process": 0, "worker": 0, "runs": 0}
        while counts["first process"] + counts["worker"] < kills:
            run = self.folder / f"run-{counts['runs'] + 1}"
            while True:
                process = self.start(run)
                done = counts["first process"] + counts["worker"] >= kills
                status = self.wait(process, 60 * WAIT if done else self.rng.uniform(0, longest))
                if status is not None:
                    break
                victim = self.kill(process)
                if victim is None:
                    status = 0
                    break
                counts[victim] += 1
            if status != 0:
                raise RuntimeError(f"status {status}; see {self.log}")
            self.compare(run)
            shutil.rmtree(run)
            counts["runs"] += 1
            killed = counts["first process"] + counts["worker"]
            print(f"run {counts['runs']}: the same bytes; {killed} kills so far", file=sys.stderr, flush=True)
        return counts

    def compare(self, run: Path) -> None:
        """Raise unless a run has come to what the undisturbed one has."""
        expected = outcome(self.folder / "undisturbed")
        differing = [name for name, content in outcome(run).items() if content != expected[name]]
        if differing:
            raise RuntimeError(f"{run}: not as in the undisturbed run: {', '.join(differing)}")


def draw_nothing() -> None:
    """Leave out metrics.csv and the plots from here on."""
    FIT.write_run_artifacts = lambda *_, **__: iter(())


def outcome(run: Path) -> dict[str, object]:
    """What a run has come to, the seconds left out."""
    found: dict[str, object] = {name: (run / name).read_bytes() for name in SAME}
    lines = (run / "metrics.jsonl").read_text().splitlines()
    found["metrics.jsonl"] = [json.loads(line) | {"seconds": 0} for line in lines]
    found["summary.json"] = json.loads((run / "summary.json").read_text()) | {"seconds": 0, "run": ""}
    return found


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="CONFIG [KEY=VALUE...]")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", default="1", help="a number, or several with commas between them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-plots", action="store_true", help="draw none: they take longer than a small run")
    given = parser.parse_args()
    if given.no_plots:
        draw_nothing()
    folder = Path(tempfile.mkdtemp(prefix="cnntrain-kill-"))
    campaign = Campaign(given.words, [int(number) for number in given.workers.split(",")], given.seed, folder)
    counts = campaign.run(given.kills)
    print(
        f"{given.kills} kills ({counts['first process']} of the first process, {counts['worker']} of a worker): "
        f"all {counts['runs']} runs came to the same bytes as the undisturbed one"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
