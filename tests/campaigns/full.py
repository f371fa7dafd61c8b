"""Fill the disk at random moments: runs continue, or end with an error message, and their last checkpoint is intact.

::

    python tests/campaigns/full.py --moments 50 configs/digits.yaml training.Max=20

As root, the disk is a tmpfs that is filled up and perhaps emptied later. Otherwise a limit on the file size gives the
running process similar errors. Linux only.
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
"""Size of the file system in bytes."""
CLEAN = (0, 2)
"""Exit statuses of a run that saved after all, or failed to save."""


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
        """Unmount the disk."""
        if self.mounted:
            subprocess.run(["umount", str(self.disk)], check=False)

    def fill(self, process: int) -> None:
        """Fill the disk, up to a few bytes."""
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
        """Free the disk."""
        if self.mounted:
            (self.disk / "filler").unlink(missing_ok=True)
        else:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def moment(self, run: Path, longest: float, ends_full: bool) -> int:
        """Start or resume a run; fill the disk at a random moment; return the exit status."""
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
        """Fill the disk ``moments`` times; return how many runs saved after all, and how many failed with a message."""
        longest = self.uninterrupted() / 2
        counts = {"saved after all": 0, "ended with a message": 0}
        for number in range(moments):
            run = self.disk / "run"
            status = self.moment(run, longest, ends_full=number % 2 == 0)
            counts["ended with a message" if status else "saved after all"] += 1
            if any(run.glob("checkpoint*")):
                loaded = last_checkpoint(run)
                if loaded.notes:
                    raise RuntimeError(f"{run}: {loaded.notes[0]}")
                load(run / loaded.name)
            if status and self.wait(self.start(run), 10 * WAIT) != 0:
                raise RuntimeError(f"resuming failed though the disk has space; see {self.log}")
            self.compare(run)
            shutil.rmtree(run)
            print(f"moment {number + 1}: status {status}, and the same bytes", file=sys.stderr, flush=True)
        if "Traceback" in self.log.read_text():
            raise RuntimeError(f"a traceback is in {self.log}")
        return counts


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="CONFIG [KEY=VALUE...]")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-plots", action="store_true", help="draw no plots: they take longer than a small run")
    args = parser.parse_args()
    if args.no_plots:
        draw_nothing()
    folder = Path(tempfile.mkdtemp(prefix="cnntrain-full-"))
    campaign = Full(args.words, args.seed, folder)
    try:
        counts = campaign.run_out(args.moments)
    finally:
        campaign.close()
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    how = "a full disk" if campaign.mounted else "a limit on files"
    print(f"{args.moments} times {how}: {summary}; all results have the same bytes as the uninterrupted run")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
