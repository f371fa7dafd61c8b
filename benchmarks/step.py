"""Training steps of the shipped networks or of a config: cnntrain and PyTorch in both memory layouts.

    python benchmarks/step.py [CONFIG.yaml ...] [--networks mnist cifar10] [--workers N] [--rounds 5] [--seconds 0.5]
                              [--json]

A step of cnntrain is one of the real training program on random images, with its worker processes: uint8 images are
gathered and standardized, gradients computed and summed, parameters changed. A step of PyTorch finds its batch ready.
Images are not augmented on either side.
Shares are of the peak of the cores that are used: the fastest single-core product of two square matrices, measured in
turns with the steps. Operations are counted by definition; layers are timed on one core.
Both take turns, so that temporary load on the machine slows both, and they never run at the same time: the workers end
before PyTorch's turn, and its threads sleep afterwards.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cnntrain import load_config
from cnntrain.builder import build
from cnntrain.config import Config
from cnntrain.errors import CnntrainError
from cnntrain.network.network import Network
from cnntrain.parallel import available_cores
from cnntrain.profiling.bench import layer_results, step_result
from cnntrain.profiling.layer_times import Peak, peak_rate, time_layers
from cnntrain.profiling.step_times import batch_size_of, random_data, time_steps
from cnntrain.profiling.timer import Timer
from cnntrain.training.workers import number_of_workers
from machine import machine, machine_text

CONFIGS = Path(__file__).parent.parent / "configs"
NETWORKS = {
    "digits": [32],
    "mnist_lenet5": [32, 128],
    "mnist": [32, 128],
    "cifar10": [32, 128],
    "cifar10_resnet": [128],
}
"""Batch sizes of each."""
LAYOUTS = ["contiguous", "channels_last"]
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training steps of cnntrain and of PyTorch.")
    parser.add_argument("configs", nargs="*", type=Path, metavar="CONFIG.yaml", help="configs, at their batch size")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=None, help="shipped configs; default: all")
    parser.add_argument("--workers", default="auto", metavar="N", help="processes of cnntrain and threads of PyTorch")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S", help="of steps in each turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        sys.exit("step.py compares with PyTorch, which is not installed here: pip install torch")
    torch.set_num_threads(available_cores() if args.workers == "auto" else int(args.workers))
    names = args.networks if args.networks or args.configs else NETWORKS
    cases = [(CONFIGS / f"{name}.yaml", size) for name in names or () for size in NETWORKS[name]]
    try:
        cases += [(path, batch_size_of(load_config(path))) for path in args.configs]
    except CnntrainError as error:
        sys.exit(str(error))
    if not args.json:
        print(machine_text())
        heads = "".join(f"{layout + ' ms':>18}" for layout in LAYOUTS)
        print(f"{'':12} batch  workers  cnntrain ms  peak{heads}  peak  ratio")
    results = []
    for path, size in cases:
        results.append(compare(path, size, args.workers, args.rounds, args.seconds))
        if not args.json:
            print("\n".join([row(results[-1]), *layer_rows(results[-1])]), flush=True)
    peak = Peak(*max((result["gemm_gflops"], result["gemm_side"]) for result in results))
    if not args.json:
        print(f"peak of one core: {peak.rate:.0f} GFLOP/s, its sgemm of {peak.side} x {peak.side} matrices")
    if args.json:
        print(json.dumps({"machine": machine(), "threads": torch.get_num_threads(), "results": results}))


def compare(path: Path, batch_size: int, workers: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Time one network in turns; milliseconds are medians over the rounds, of the medians of each."""
    sizes = [f"training.batch_size={batch_size}", f"training.workers={workers}"]
    config = load_config(path, [*sizes, "training.augmentation={}"])
    if config.training.loss != "cross_entropy":
        sys.exit(f"{path}: training.loss is {config.training.loss}, and only cross_entropy is compared")
    network = build(config)
    data = random_data(config, network, batch_size)
    size = number_of_workers(config, network, data)
    theirs = {layout: TorchSteps(config, network, batch_size, layout) for layout in LAYOUTS}
    turns: dict[str, list[float]] = {side: [] for side in ("cnntrain", *LAYOUTS)}
    peaks, layer_seconds = [], []
    for _ in range(rounds):
        peaks.append(peak_rate(network.dtype, seconds=0.05))
        layer_seconds.append(time_layers(network, data, batch_size, Timer(seconds=seconds)))
        timings = Timer(seconds=seconds, warm_up=WARM_UP)
        time_steps(config, network, data, size, timings)
        turns["cnntrain"].append(1e3 * timings.median)
        for layout, steps in theirs.items():
            turns[layout].append(1e3 * steps.time(seconds))
    medians = {side: median(values) for side, values in turns.items()}
    peak, layers = max(peaks), np.median(layer_seconds, axis=0)
    step = step_result(network, batch_size, layers, size, medians["cnntrain"] / 1e3, peak)
    theirs_ms = min(medians[layout] for layout in LAYOUTS)
    return {
        "network": path.stem,
        "batch_size": batch_size,
        "workers": size,
        **{f"{side}_ms": value for side, value in medians.items()},
        "ratio": theirs_ms / medians["cnntrain"],
        "gemm_gflops": peak.rate / 1e9,
        "gemm_side": peak.side,
        "share": step["step_share"],
        "torch_share": step["step_share"] * medians["cnntrain"] / theirs_ms,
        "between_kernels_ms": step["between_kernels_ms"],
        "layers": layer_results(network, batch_size, layers, peak),
        "rounds_ms": turns,
    }


class TorchSteps:
    """The same network in PyTorch, with one training batch."""

    def __init__(self, config: Config, network: Network, batch_size: int, layout: str):
        import torch

        import torch_network

        resolved = config.resolved()
        classes = network.out_shape[0]
        self.network = torch_network.build(resolved["network"]["layers"], network.in_shape, classes, layout)
        # As in cnntrain's steps: labels drawn at random teach nothing, and the loss must stay finite.
        self.optimizer = torch_network.optimizer(self.network, {**resolved["training"], "alpha": 1e-6})
        self.label_smoothing = config.training.label_smoothing
        self.x = torch.randn(batch_size, *network.in_shape).to(memory_format=torch_network.LAYOUTS[layout])
        self.y = torch.randint(0, classes, (batch_size,))
        self.train_step = torch_network.train_step

    def time(self, seconds: float) -> float:
        """Return the median of steps that take ``seconds`` together."""
        timings = Timer(seconds=seconds, warm_up=WARM_UP)
        while not timings.enough:
            began = time.perf_counter()
            self.train_step(self.network, self.optimizer, self.x, self.y, self.label_smoothing)
            timings.add(time.perf_counter() - began)
        return timings.median


def row(result: dict[str, Any]) -> str:
    """A line of the table."""
    head = f"{result['network']:12} {result['batch_size']:5}  {result['workers']:7}{result['cnntrain_ms']:13.2f}"
    theirs = "".join(f"{result[f'{layout}_ms']:18.2f}" for layout in LAYOUTS)
    return f"{head} {result['share']:5.0%}{theirs} {result['torch_share']:5.0%}  {result['ratio']:5.2f}"


def layer_rows(result: dict[str, Any]) -> list[str]:
    """A line for each layer: time, share of the peak, bytes moved; and the time between kernels."""
    rows = []
    for layer in result["layers"]:
        shares = [layer[f"{way}_share"] for way in ("forward", "backward")]
        ms = layer["forward_ms"] + layer["backward_ms"]
        cells = "".join(f"{'-' if share is None else format(share, '.0%'):>6}" for share in shares)
        moved = layer["forward_bytes"] + layer["backward_bytes"]
        name = f"  {layer['index']} {layer['type']}"
        rows.append(f"{name:28}{ms:13.3f}{cells}{moved / 1e6:12.1f} MB {moved / 1e6 / ms:8.1f} GB/s")
    return [*rows, f"  {'between kernels':26}{result['between_kernels_ms']:13.3f}"]


if __name__ == "__main__":
    main()
