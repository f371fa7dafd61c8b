"""Kill runs at random moments, resume them, and compare the results with an uninterrupted run.

::

    python tests/campaigns/kill.py --kills 200 --workers 2 configs/digits.yaml training.Max=60

Each kill is a SIGKILL of the first process or of one of its workers. With several numbers of workers
(``--workers 1,2``), every start uses the next one. Linux only.
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

FIT = import_module("cnntrain.training.fit")  # before any fork

SAME = ("weights.safetensors", "best.safetensors")
WAIT = 120
"""Seconds after which a process counts as hung."""


class Campaign:
    """Runs of one config.

    Args:
        words: Config and overrides.
        workers: Numbers of workers, used in turn.
        seed: Seed of moments and victims.
        folder: Parent of the run folders.
    """

    def __init__(self, words: list[str], workers: list[int], seed: int, folder: Path):
        self.words, self.workers, self.folder = words, workers, folder
        self.rng = random.Random(seed)
        self.log = folder / "log.txt"
        self.starts = 0

    def start(self, run: Path) -> int:
        """Start or resume a run in a new process; return its PID."""
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
        """Wait for the end of a process, or for a timeout; return its exit status, or None if it still runs."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(process, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        return None

    def kill(self, process: int) -> str | None:
        """Kill a process or one of its workers; return which one, or None if it had already ended."""
        workers = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        victim = self.rng.choice([process, *map(int, workers)])
        os.kill(victim, signal.SIGKILL)
        status = self.wait(process, WAIT)
        if status == 0:
            return None
        if status != (-9 if victim == process else 7):
            raise RuntimeError(f"status {status} after a kill; see {self.log}")
        return "first process" if victim == process else "worker"

    def uninterrupted(self) -> float:
        """Run to the end; return the duration in seconds."""
        began = time.monotonic()
        status = self.wait(self.start(self.folder / "uninterrupted"), 60 * WAIT)
        if status != 0:
            raise RuntimeError(f"status {status} of the uninterrupted run; see {self.log}")
        return time.monotonic() - began

    def run(self, kills: int) -> dict[str, int]:
        """Kill ``kills`` times; return the counts of victims and of completed runs."""
        longest = self.uninterrupted() / 2
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
        """Raise RuntimeError unless a run has the same result as the uninterrupted one."""
        expected = outcome(self.folder / "uninterrupted")
        differing = [name for name, content in outcome(run).items() if content != expected[name]]
        if differing:
            raise RuntimeError(f"{run}: differs from the uninterrupted run: {', '.join(differing)}")


def draw_nothing() -> None:
    """Disable metrics.csv and the plots."""
    FIT.write_run_artifacts = lambda *_, **__: iter(())


def outcome(run: Path) -> dict[str, object]:
    """Return the results of a run, without timings."""
    result: dict[str, object] = {name: (run / name).read_bytes() for name in SAME}
    lines = (run / "metrics.jsonl").read_text().splitlines()
    result["metrics.jsonl"] = [json.loads(line) | {"seconds": 0} for line in lines]
    result["summary.json"] = json.loads((run / "summary.json").read_text()) | {"seconds": 0, "run": ""}
    return result


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="CONFIG [KEY=VALUE...]")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", default="1", help="a number, or several with commas between them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-plots", action="store_true", help="draw no plots: they take longer than a small run")
    args = parser.parse_args()
    if args.no_plots:
        draw_nothing()
    folder = Path(tempfile.mkdtemp(prefix="cnntrain-kill-"))
    campaign = Campaign(args.words, [int(number) for number in args.workers.split(",")], args.seed, folder)
    counts = campaign.run(args.kills)
    print(
        f"{args.kills} kills ({counts['first process']} of the first process, {counts['worker']} of a worker): "
        f"all {counts['runs']} runs have the same bytes as the uninterrupted one"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
