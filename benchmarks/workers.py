"""Training steps of the shipped networks with one and more workers: the speed-up by cores.

python benchmarks/workers.py [--networks mnist cifar10] [--batch-size 128] [--workers 2] [--rounds 5] [--json]
"""

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

from cnntrain import load_config
from cnntrain.builder import build
from cnntrain.parallel import available_cores
from cnntrain.profiling.step_times import random_data, time_steps
from cnntrain.profiling.timer import Timer
from machine import machine, machine_text

CONFIGS = Path(__file__).parent.parent / "configs"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training steps with different numbers of workers, in turns.")
    parser.add_argument("--networks", nargs="+", default=["mnist", "cifar10"], help="shipped configs")
    parser.add_argument("--batch-size", type=int, default=128, metavar="N", help="samples of a step")
    parser.add_argument("--workers", type=int, default=available_cores(), metavar="N", help="compare 1 .. N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S", help="of steps in each turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    sizes = range(1, args.workers + 1)
    results = [compare(name, args.batch_size, sizes, args.rounds, args.seconds) for name in args.networks]
    if args.json:
        print(json.dumps({"machine": machine(), "results": results}))
        return
    print(machine_text())
    print(f"{'':12} batch  workers        ms  times as fast as one")
    for result in results:
        for size, milliseconds in zip(sizes, result["ms"], strict=True):
            speed_up = result["ms"][0] / milliseconds
            print(f"{result['network']:12} {result['batch_size']:5}  {size:7}  {milliseconds:8.2f}  {speed_up:21.2f}")


def compare(name: str, batch_size: int, sizes: range, rounds: int, seconds: float) -> dict[str, Any]:
    """Time one network in turns; milliseconds are medians over the rounds, of the medians of each."""
    config = load_config(CONFIGS / f"{name}.yaml", [f"training.batch_size={batch_size}"])
    network = build(config)
    data = random_data(config, network, batch_size)
    turns: list[list[float]] = [[] for _ in sizes]
    for _ in range(rounds):
        for size, turn in zip(sizes, turns, strict=True):
            timings = Timer(seconds=seconds, warm_up=5)
            time_steps(config, network, data, size, timings)
            turn.append(1e3 * timings.median)
    return {"network": name, "batch_size": batch_size, "workers": list(sizes), "ms": [median(turn) for turn in turns]}


if __name__ == "__main__":
    main()
