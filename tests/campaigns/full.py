"""Let runs find no room at random moments: they go on, or end with a sentence, and their last checkpoint is whole.

::

    python tests/campaigns/full.py --moments 50 configs/digits.yaml training.Max=20

Where a file system in memory can be mounted (by root), it is filled up and later perhaps emptied again; elsewhere the
size of files is limited while the process runs, which the system tells it likewise. Linux only.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kill import WAIT, Campaign, draw_nothing

from cnntrain.training.checkpointing.checkpoint import load
from cnntrain.training.resume import last_checkpoint

SIZE = 4_000_000
"""Bytes of the file system."""
CLEAN = (0, 2)
"""Statuses of a run that could save after all, or could not."""


class Full(Campaign):
    """Runs on a disk that is full now and then."""

    def __init__(self, words: list[str], seed: int, folder: Path):
        super().__init__(words, [1], seed, folder)
        self.disk = folder / "disk"
        self.disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.disk)]
        try:
            self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            self.mounted = False

    def close(self) -> None:
        """Give the disk back."""
        if self.mounted:
            subprocess.run(["umount", str(self.disk)], check=False)

    def fill(self, process: int) -> None:
        """Leave no room, or next to none."""
        if not self.mounted:
            limit = self.rng.randrange(0, 6000)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            return
        with (self.disk / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 + self.rng.randrange(4096))):
                    pass
            except OSError:
                return

    def empty(self, process: int) -> None:
        """Make room again."""
        if self.mounted:
            (self.disk / "filler").unlink(missing_ok=True)
        else:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def moment(self, run: Path, longest: float, ends_full: bool) -> int:
        """Begin a run, or go on with it; leave no room at a random moment; return its status."""
        process = self.start(run)
        status = self.wait(process, self.rng.uniform(0, longest))
        if status is not None:
            return status
        self.fill(process)
        status = self.wait(process, 10 * WAIT if ends_full else self.rng.uniform(0, longest))
        if status is None:
            self.empty(process)
            status = self.wait(process, 10 * WAIT)
        if status not in CLEAN:
            raise RuntimeError(f"status {status}; see {self.log}")
        if self.mounted:
            self.empty(process)
        return status

    def run_out(self, moments: int) -> dict[str, int]:
        """Leave no room so often; return how often the runs could go on to the end, and how often not."""
        longest = self.undisturbed() / 2
        counts = {"saved in the end": 0, "ended with a sentence": 0}
        for number in range(moments):
            run = self.disk / "run"
            status = self.moment(run, longest, ends_full=number % 2 == 0)
            counts["ended with a sentence" if status else "saved in the end"] += 1
            if any(run.glob("checkpoint*")):
                found = last_checkpoint(run)
                if found.notes:
                    raise RuntimeError(f"{run}: {found.notes[0]}")
                load(run / found.name)
            if status and self.wait(self.start(run), 10 * WAIT) != 0:
                raise RuntimeError(f"it does not go on once there is room; see {self.log}")
            self.compare(run)
            shutil.rmtree(run)
            print(f"moment {number + 1}: status {status}, and the same bytes", file=sys.stderr, flush=True)
        if "Traceback" in self.log.read_text():
            raise RuntimeError(f"a traceback is in {self.log}")
        return counts


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="CONFIG [KEY=VALUE...]")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-plots", action="store_true", help="draw none: they take longer than a small run")
    given = parser.parse_args()
    if given.no_plots:
        draw_nothing()
    folder = Path(tempfile.mkdtemp(prefix="cnntrain-full-"))
    campaign = Full(given.words, given.seed, folder)
    try:
        counts = campaign.run_out(given.moments)
    finally:
        campaign.close()
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    how = "a full disk" if campaign.mounted else "a limit on files"
    print(f"{given.moments} times {how}: {told}; all went on to the same bytes as the undisturbed run")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
