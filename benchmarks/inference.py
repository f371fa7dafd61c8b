"""Forward passes of the shipped networks: cnntrain's evaluation mode and ONNX Runtime on the exported file.

    python benchmarks/inference.py [CONFIG.yaml ...] [--networks mnist cifar10] [--images 1024] [--rounds 5]
                                   [--seconds 0.5] [--json]

Both get the same random uint8 images and compute the same probabilities on one core. cnntrain runs what ``eval`` and
``predict`` run, micro-batch by micro-batch; reading files is not timed. ONNX Runtime runs the exported file with one
thread, its own optimizations of the graph, and the best of several batch sizes. Weights are random, and so are the
running statistics of batch normalization.

Both take turns. Figures are CPU time, so that other programs on the machine disturb them little: all the work is done
in one thread.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain import load_config
from cnntrain.builder import build
from cnntrain.config import Config
from cnntrain.data import Preprocessing
from cnntrain.inference.predictor import Predictor
from cnntrain.profiling.timer import Timer
from cnntrain.types import Array
from cnntrain.weights.weights import SavedNetwork
from machine import installed, machine, machine_text

CONFIGS = Path(__file__).parent.parent / "configs"
NETWORKS = ["digits", "mnist_lenet5", "mnist", "cifar10", "cifar10_resnet"]
BATCH_SIZES = [1, 8, 32, 128, 512]
"""Images at a time for ONNX Runtime."""
Pixels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time forward passes of cnntrain and of ONNX Runtime on one core.")
    parser.add_argument("configs", nargs="*", type=Path, metavar="CONFIG.yaml", help="other configs")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=None, help="shipped configs; default: all")
    parser.add_argument("--images", type=int, default=1024, metavar="N", help="images of a pass")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S", help="of passes in each turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    if installed("onnx") is None or installed("onnxruntime") is None:
        sys.exit("inference.py compares with ONNX Runtime, which is not installed here: pip install onnx onnxruntime")
    names = args.networks if args.networks or args.configs else NETWORKS
    paths = [CONFIGS / f"{name}.yaml" for name in names or ()] + args.configs
    if not args.json:
        print(machine_text())
        print(f"onnxruntime {installed('onnxruntime')}, images/s on one core")
        print(f"{'':14}micro-batch   cnntrain  batch  ONNX Runtime  ratio  largest difference")
    results = []
    for path in paths:
        results.append(compare(path, args.images, args.rounds, args.seconds))
        if not args.json:
            print(row(results[-1]), flush=True)
    if args.json:
        print(json.dumps({"machine": machine(), "onnxruntime": installed("onnxruntime"), "results": results}))


def compare(path: Path, count: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Time one network in turns; images/s are medians over the rounds, of the medians of each."""
    model = random_model(load_config(path))
    images = np.random.default_rng(0).integers(0, 256, (count, *model.in_shape), np.uint8)
    theirs = OnnxRuntime(model)
    difference = float(np.abs(model.outputs(images) - theirs.outputs(images, count)).max())
    turns: dict[str, list[float]] = {"cnntrain": [], **{str(size): [] for size in theirs.sizes(count)}}
    for _ in range(rounds):
        turns["cnntrain"].append(count / timed(partial(model.outputs, images), seconds))
        for size in theirs.sizes(count):
            outputs = timed(partial(theirs.outputs, images, size), seconds / len(BATCH_SIZES))
            turns[str(size)].append(count / outputs)
    rates = {side: median(values) for side, values in turns.items()}
    ours = rates.pop("cnntrain")
    best = max(rates, key=rates.__getitem__)
    return {
        "network": path.stem,
        "images": count,
        "micro_batch_size": model.network.micro_batches(count)[0].stop,
        "cnntrain_images_per_second": ours,
        "onnxruntime_images_per_second": rates[best],
        "onnxruntime_batch_size": int(best),
        "ratio": ours / rates[best],
        "largest_difference": difference,
        "rounds": turns,
    }


def random_model(config: Config) -> Predictor:
    """Return the network of a config with random weights, and running statistics that change its output."""
    rng = np.random.default_rng(0)
    network = build(config)
    state = network.state()
    for name, value in state.items():
        if name.endswith(("running_mean", "b")):
            value += 0.1 * rng.standard_normal(value.shape)
        if name.endswith(("running_var", "gamma")):
            value *= rng.uniform(0.5, 2, value.shape)
    network.set_state(state)
    channels = network.in_shape[0]
    standardize = Preprocessing((0.5,) * channels, (0.3,) * channels)
    names = tuple(map(str, range(network.class_indices.size)))
    return Predictor(SavedNetwork(Path("random"), network, config, names, standardize))


class OnnxRuntime:
    """The exported network in ONNX Runtime, with one thread."""

    def __init__(self, model: Predictor):
        from onnxruntime import InferenceSession, SessionOptions

        from cnntrain.onnx_export.onnx_model import make_model

        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        content = make_model(model).SerializeToString()
        self.session = InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def outputs(self, images: Pixels, size: int) -> Array:
        """Return the outputs for the images, ``size`` of them at a time."""
        parts = [images[start : start + size] for start in range(0, len(images), size)]
        return np.concatenate([self.session.run(None, {"pixels": part})[0] for part in parts])

    def sizes(self, count: int) -> list[int]:
        """Return the batch sizes to try for ``count`` images."""
        return [size for size in BATCH_SIZES if size <= count]


def timed(what: Callable[[], object], seconds: float) -> float:
    """Return the median CPU time of ``what``, repeated for some seconds."""
    timings = Timer(seconds=seconds, warm_up=1, min_count=3)
    while not timings.enough:
        began = time.thread_time()
        what()
        timings.add(time.thread_time() - began)
    return timings.median


def row(result: dict[str, Any]) -> str:
    """A line of the table."""
    ours, theirs = (result[f"{side}_images_per_second"] for side in ("cnntrain", "onnxruntime"))
    head = f"{result['network']:14}{result['micro_batch_size']:11}{ours:11,.0f}{result['onnxruntime_batch_size']:7}"
    return f"{head}{theirs:14,.0f}{result['ratio']:7.2f}{result['largest_difference']:20.1e}"


if __name__ == "__main__":
    main()
