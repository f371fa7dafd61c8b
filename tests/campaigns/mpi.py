"""Train on MPI ranks: compare the bits with one process, and let ranks fail at random moments.

::

    python tests/campaigns/mpi.py bits configs/digits.yaml training.Max=2
    python tests/campaigns/mpi.py faults --count 10
    sudo python tests/campaigns/mpi.py cable --count 10

``bits`` trains a config in one process, with 2, 3 and 4 workers, and on 1 to 4 ranks. ``faults`` has a random rank
raise, exit, or get SIGKILL or SIGSTOP, ``count`` times each; ``cable`` cuts the link between two network namespaces
(Linux, root, iproute2). Then every job must have ended with the right status, no rank may be left, and the run resumes,
on another number of ranks, to the bits of an uninterrupted one.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
FAULT = Path(__file__).parents[1] / "support" / "mpi_fault.py"
CNNTRAIN = [sys.executable, "-m", "cnntrain"]
STATUS = {"raise": (1, 7), "exit": (5, 7), "memory": (8, 8), "SIGKILL": (9, 9), "SIGSTOP": (7, 7)}
"""Status of the job if rank 0 fails, and if another one does, with MPICH."""
TIMEOUT = 4
"""Seconds for ``--timeout``."""
LONGEST = 10
"""Seconds that a job may take to end after a fault, besides ``--timeout``."""
WORDS = ["digits", "training.batch_size=150", "training.Max=60", "training.checkpoint_every=5 batches"]
SPACES = {"10.77.0.1": "cnntrain-a", "10.77.0.2": "cnntrain-b"}
LINKS = {"cnntrain-a": "cnntraina", "cnntrain-b": "cnntrainb"}


def mpiexec(ranks: int) -> list[str]:
    """The launcher for ranks of this machine."""
    return [str(BIN / "mpiexec"), "-launcher", "fork", "-n", str(ranks)]


def call(command: list[str], **options: Any) -> int:
    """Run a command; return its status, or -1 if it does not end."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, **options)
    except subprocess.TimeoutExpired:
        return -1
    return done.returncode


def digests(run: Path) -> str:
    """A digest of all that must not depend on the number of processes."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    total = sha256(json.dumps(metrics).encode())
    for name in ("weights.safetensors", "best.safetensors"):
        total.update((run / name).read_bytes())
    return total.hexdigest()[:16]


def bits(words: list[str], folder: Path) -> bool:
    """Train with every number of processes; print and compare the digests."""
    found = {}
    quiet = ["--no-plots", "--progress", "none"]
    for workers in (1, 2, 3, 4):
        run = folder / f"workers-{workers}"
        if call([*CNNTRAIN, "train", *words, "--workers", str(workers), "--out", str(run), *quiet]) == 0:
            found[run.name] = digests(run)
    for ranks in (1, 2, 3, 4):
        run = folder / f"ranks-{ranks}"
        if call([*mpiexec(ranks), *CNNTRAIN, "train", *words, "--out", str(run), *quiet]) == 0:
            found[run.name] = digests(run)
    print(" ".join(words), found)
    return len(found) == 8 and len(set(found.values())) == 1


class Faults:
    """Runs whose ranks fail.

    Args:
        folder: Parent of the run folders.
        seed: Seed of moments and victims.
    """

    def __init__(self, folder: Path, seed: int):
        self.folder, self.rng = folder, random.Random(seed)
        reference = folder / "reference"
        call([*CNNTRAIN, "train", *WORDS, "--workers", "1", "--out", str(reference), "--no-plots"])
        self.expected = digests(reference)

    def fault(self, kind: str) -> list[str]:
        """Let one rank fail; return what is wrong."""
        ranks = self.rng.choice([2, 3])
        rank = self.rng.randrange(ranks)
        run = self.folder / "run"
        command = [*mpiexec(ranks), sys.executable, str(FAULT), kind, str(rank), str(self.rng.randint(1, 200))]
        moment = self.folder / "moment"
        moment.unlink(missing_ok=True)
        words = ["train", *WORDS, "--out", str(run), "--no-plots", "--timeout", str(TIMEOUT)]
        status = call([*command, *words], env=os.environ | {"CNNTRAIN_FAULT_FILE": str(moment)})
        wrong = [] if status == STATUS[kind][rank > 0] else [f"status {status}"]
        took = time.time() - float(moment.read_text()) if moment.exists() else float("inf")
        if took > LONGEST + (TIMEOUT if kind == "SIGSTOP" else 0):
            wrong.append(f"{took:.1f} s to end")
        return wrong + self.resumed(run, str(run))

    def cable(self) -> list[str]:
        """Cut the link between two machines; return what is wrong."""
        make_spaces()
        run = self.folder / "run"
        words = ["train", *WORDS, "training.Max=100000", "--out", str(run), "--no-plots", "--timeout", str(TIMEOUT)]
        hosts = ["-launcher", "ssh", "-launcher-exec", str(self.launcher()), "-hosts", ",".join(SPACES), "-n", "2"]
        command = ["ip", "netns", "exec", "cnntrain-a", "unshare", "-u", "bash", "-c"]
        line = " ".join([f"hostname cnntrain-a; exec {BIN / 'mpiexec'}", *hosts, *CNNTRAIN, *map(repr, words)])
        with subprocess.Popen([*command, line], stdout=-3, stderr=-3, env=os.environ | {"UCX_TLS": "tcp,self"}) as job:
            for _ in range(600):
                if (run / "metrics.jsonl").exists():
                    break
                time.sleep(0.1)
            time.sleep(self.rng.uniform(0, 2))
            subprocess.run(["ip", "-n", "cnntrain-a", "link", "set", "cnntraina", "down"], check=True)
            began = time.time()
            try:
                job.wait(60)
            except subprocess.TimeoutExpired:
                job.kill()
        wrong = [] if job.returncode == 7 else [f"status {job.returncode}"]
        if time.time() - began > LONGEST + TIMEOUT:
            wrong.append(f"{time.time() - began:.1f} s to end")
        return wrong + self.resumed(run, str(run), "training.Max=60")

    def launcher(self) -> Path:
        """A script in place of ssh: it runs a command in the network namespace of an address."""
        path = self.folder / "launcher"
        cases = "; ".join(f"{address}) space={space};" for address, space in SPACES.items())
        path.write_text(
            "#!/bin/bash\nhost=$1; shift; [ $host = -x ] && { host=$1; shift; }\n"
            f"case $host in {cases} esac\n"
            'exec ip netns exec $space unshare -u bash -c "hostname $space; exec $*"\n'
        )
        path.chmod(0o755)
        return path

    def resumed(self, run: Path, mark: str, *overrides: str) -> list[str]:
        """Look for ranks that are left, and resume the run; return what is wrong."""
        for _ in range(100):
            left = [process for process in Path("/proc").glob("[0-9]*") if mark in command_of(process)]
            if not left:
                break
            time.sleep(0.1)
        wrong = [f"left: {', '.join(process.name for process in left)}"] if left else []
        ranks = self.rng.choice([1, 2, 3])
        if run.exists():
            status = call([*mpiexec(ranks), *CNNTRAIN, "resume", str(run), *overrides, "--no-plots"])
            if status or digests(run) != self.expected:
                wrong.append(f"resumed on {ranks}: status {status}, or other bits")
            shutil.rmtree(run)
        return wrong


def command_of(process: Path) -> str:
    """The command line of a process of this machine."""
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def make_spaces(rate: str = "1gbit") -> None:
    """Make two network namespaces with a link between them."""
    (a, link_a), (b, link_b) = LINKS.items()
    for space in LINKS:
        subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "add", space], check=True)
    subprocess.run(
        ["ip", "link", "add", link_a, "netns", a, "type", "veth", "peer", "name", link_b, "netns", b], check=True
    )
    for address, space in SPACES.items():
        for words in (
            f"ip -n {space} addr add {address}/24 dev {LINKS[space]}",
            f"ip -n {space} link set lo up",
            f"ip -n {space} link set {LINKS[space]} up",
            f"tc -n {space} qdisc add dev {LINKS[space]} root tbf rate {rate} burst 256kb latency 50ms",
        ):
            subprocess.run(words.split(), check=True)
    time.sleep(1.5)


def repeat(name: str, count: int, attempt: Callable[[], list[str]]) -> bool:
    """Try something several times; print what was wrong."""
    problems = [attempt() for _ in range(count)]
    bad = [problem for problem in problems if problem]
    print(f"{name}: {count - len(bad)} of {count} as they should be {bad or ''}", flush=True)
    return not bad


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on MPI ranks, and let them fail.")
    parser.add_argument("what", choices=["bits", "faults", "cable"])
    parser.add_argument("words", nargs="*", help="config and overrides, for bits")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="times each")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.what == "bits":
            good = bits(args.words, folder)
        else:
            faults = Faults(folder, args.seed)
            if args.what == "cable":
                good = repeat("cable", args.count, faults.cable)
            else:
                results = [repeat(kind, args.count, partial(faults.fault, kind)) for kind in STATUS]
                good = all(results)
    sys.exit(not good)


if __name__ == "__main__":
    main()
