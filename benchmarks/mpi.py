"""Training steps of the shipped networks on MPI ranks.

    mpiexec -n 2 python benchmarks/mpi.py [--networks mnist cifar10] [--batch-sizes 128 512] [--seconds 2] [--json]
    python benchmarks/mpi.py --workers 2            the same steps with worker processes, to compare

A step is one of the real training program on random images, which rank 0 sends to the other machines first. Printed are
the median and the fastest step.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from cnntrain import load_config
from cnntrain.builder import build
from cnntrain.launcher import launched
from cnntrain.parallel.mpi_session import Session
from cnntrain.profiling.step_times import random_data, time_steps
from cnntrain.profiling.timer import Timer
from cnntrain.training.mpi_notes import exchange_facts
from cnntrain.training.mpi_ranks import serve

CONFIGS = Path(__file__).parent.parent / "configs"
NETWORKS = ["digits", "mnist_lenet5", "mnist", "cifar10"]
TIMEOUT = 60.0
"""Seconds without a sign of life of a rank."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training steps on MPI ranks.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="shipped configs")
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128], metavar="N")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes, without MPI")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of steps for each network")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    launch = launched()
    session = None if launch is None else Session.open(launch, TIMEOUT)
    if session is not None:
        exchange_facts(session)
        if session.rank:
            serve(session)
            session.close(0)
            return
    results = []
    for name in args.networks:
        for batch_size in args.batch_sizes:
            words = [f"training.batch_size={batch_size}", "training.augmentation={}"]
            config = load_config(CONFIGS / f"{name}.yaml", words)
            network = build(config)
            timer = Timer(seconds=args.seconds, warm_up=5)
            time_steps(config, network, random_data(config, network, batch_size), args.workers, timer)
            row = {
                "network": name,
                "batch_size": batch_size,
                "processes": args.workers if session is None else session.size,
                "median_ms": 1e3 * timer.median,
                "fastest_ms": 1e3 * min(timer.durations),
            }
            results.append(row)
            if not args.json:
                print("{network:12} {batch_size:5} {processes:3} {median_ms:10.3f} {fastest_ms:10.3f}".format(**row))
    if args.json:
        print(json.dumps({"mpi": session is not None, "results": results}))
    if session is not None:
        session.close(0)


if __name__ == "__main__":
    main()
